// SPDX-License-Identifier: Apache-2.0

/**
 * The capacity a dispatched request holds until its last byte. It ends once, in one of three ways; a second ending is a
 * bug in the caller and throws, because silently ignoring it is how peers leak or double-free capacity for years.
 */

import type { Endpoint } from '../endpoints/endpoint.ts';
import type { InferenceRequest, Usage } from './inference-request.ts';

/** `succeeded`: answered. `failed`: the model server did not answer well. `cancelled`: the client left. */
export type Ending = 'succeeded' | 'failed' | 'cancelled';

export interface Permit {
  readonly request: InferenceRequest;
  /** Where the request goes. */
  readonly endpoint: Endpoint;
  /** Fail-over order behind `endpoint`, when the picker gave one. */
  readonly alternatives: readonly Endpoint[];
  /** Sequences held on the endpoint. */
  readonly sequences: number;
  /** Tokens held on the endpoint, as estimated at dispatch. */
  readonly tokens: number;
  /** Milliseconds it waited in the queue. */
  readonly waitMs: number;
  /** To be called once, when the first byte of a streamed answer arrives. */
  firstToken(): void;
  /** Tokens of a streamed answer that were seen to pass so far: what exceeds the estimate is charged as it comes. */
  streamed(tokens: number): void;
  /** Frees the capacity. @throws Error when the permit has ended already. */
  end(ending: Ending, usage?: Usage): void;
}
