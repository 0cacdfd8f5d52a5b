// SPDX-License-Identifier: Apache-2.0

/**
 * Every state change of a flow controller, told to one observer in the order in which it happened. Metrics, logs and
 * traces are made from these and from nothing else; with no observer nothing is built.
 */

import type { InferenceRequest, Usage } from '../request/inference-request.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { DropCause } from '../request/outcome.ts';
import type { Ending } from '../request/permit.ts';
import type { PrefixMatch } from '../request/prompt-prefix.ts';

export type FlowEvent =
  /** `band` is the priority it waits at: the request's own, or 0 when that has no band. */
  | { readonly kind: 'enqueued'; readonly request: InferenceRequest; readonly band: number; readonly atMs: number }
  | {
      readonly kind: 'rejected';
      readonly request: InferenceRequest;
      readonly band: number;
      readonly cause: DropCause;
      readonly atMs: number;
    }
  | {
      readonly kind: 'evicted';
      readonly request: InferenceRequest;
      readonly band: number;
      readonly cause: DropCause;
      readonly waitMs: number;
      readonly atMs: number;
    }
  | {
      readonly kind: 'dispatched';
      readonly request: InferenceRequest;
      readonly band: number;
      readonly endpoint: Endpoint;
      /** What the endpoint should have had of its prompt, when somebody knows. */
      readonly prefixMatch?: PrefixMatch | undefined;
      readonly waitMs: number;
      readonly atMs: number;
    }
  /** The permit was given back because nothing had been sent; the request waits again at its flow's head. */
  | {
      readonly kind: 'requeued';
      readonly request: InferenceRequest;
      readonly band: number;
      readonly endpoint: Endpoint;
      readonly atMs: number;
    }
  /** Nothing had been sent, and an alternative had room: the permit is one for that endpoint now. */
  | {
      readonly kind: 'failed-over';
      readonly request: InferenceRequest;
      readonly band: number;
      readonly from: Endpoint;
      readonly endpoint: Endpoint;
      readonly atMs: number;
    }
  | {
      readonly kind: 'first-token';
      readonly request: InferenceRequest;
      readonly endpoint: Endpoint;
      readonly sinceReceivedMs: number;
      readonly atMs: number;
    }
  | {
      readonly kind: 'ended';
      readonly request: InferenceRequest;
      readonly band: number;
      readonly endpoint: Endpoint;
      readonly ending: Ending;
      readonly usage: Usage | undefined;
      readonly sinceReceivedMs: number;
      readonly atMs: number;
    }
  /** A model server told of a usage that no request has: what is reckoned with is the nearest that one could have. */
  | {
      readonly kind: 'usage-clamped';
      readonly request: InferenceRequest;
      readonly endpoint: Endpoint;
      readonly usage: Usage | undefined;
      readonly atMs: number;
    }
  | { readonly kind: 'priority-unknown'; readonly request: InferenceRequest; readonly atMs: number }
  | { readonly kind: 'flow-created'; readonly fairnessId: string; readonly band: number; readonly atMs: number }
  | { readonly kind: 'flow-forgotten'; readonly fairnessId: string; readonly band: number; readonly atMs: number }
  | {
      readonly kind: 'flow-parked';
      readonly fairnessId: string;
      readonly band: number;
      readonly why: 'no-room' | 'capped' | 'throttled';
      readonly atMs: number;
    }
  | { readonly kind: 'flow-unparked'; readonly fairnessId: string; readonly band: number; readonly atMs: number }
  | { readonly kind: 'band-created'; readonly band: number; readonly atMs: number }
  | { readonly kind: 'band-forgotten'; readonly band: number; readonly atMs: number }
  /**
   * A plugin threw, or answered with what it was not asked about, and does not count: a fairness policy's band goes by
   * arrival, a scorer adds nothing, a filter drops nobody. Told once for each plugin (and band).
   */
  | {
      readonly kind: 'plugin-fault';
      readonly plugin: string;
      /** Of a fairness policy. */
      readonly band: number | undefined;
      readonly message: string;
      readonly atMs: number;
    }
  /** The band, and where bands are served strictly every band below it, stopped dispatching: saturation reached its ceiling. */
  | {
      readonly kind: 'gated';
      readonly band: number;
      readonly saturation: number;
      readonly ceiling: number;
      readonly atMs: number;
    }
  | { readonly kind: 'ungated'; readonly atMs: number }
  /** The pool got its first endpoint or lost its last: all waits get a fresh budget. */
  | { readonly kind: 'regime'; readonly endpoints: boolean; readonly atMs: number }
  | { readonly kind: 'bypass'; readonly on: boolean; readonly atMs: number };

export type FlowObserver = (event: FlowEvent) => void;
