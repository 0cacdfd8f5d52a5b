// SPDX-License-Identifier: Apache-2.0

/**
 * What flow control and scheduling know of a request: a descriptor of ids, sizes and times, never a body or a socket.
 * All times are milliseconds on the controller's own clock.
 */

import type { InFlightCap } from './in-flight-cap.ts';
import type { PromptPrefix } from './prompt-prefix.ts';
import type { TokenBucket } from './token-bucket.ts';

/** One inference request, immutable from the moment it is enqueued. */
export interface InferenceRequest {
  /** Unique among the requests under way; what logs and `x-request-id` show. */
  readonly id: string;
  /** Who shares fairly with whom: a tenant, a key, a program. With `priority` it is the request's flow key. */
  readonly fairnessId: string;
  /** Higher is served first. A priority without a band is served in band 0. */
  readonly priority: number;
  /** The model the client asked for. */
  readonly model: string;
  /** The model (or adapter) that the model server is asked for. */
  readonly targetModel: string;
  /** Bytes of body held while the request waits. */
  readonly sizeBytes: number;
  /** Sequences the model server will run for it (`n` × prompts), at least 1: the weight of its permit. */
  readonly sequences: number;
  /** Tokens its input is thought to be; a quarter of `sizeBytes` when nobody knows better. */
  readonly inputTokens?: number | undefined;
  /** Images in its prompt. */
  readonly images?: number | undefined;
  /** Tokens its answer may have at most, when its caller says so. */
  readonly maxOutputTokens?: number | undefined;
  /** When its first byte arrived. */
  readonly receivedMs: number;
  /** Its own wait budget in place of the configured one. */
  readonly ttlMs?: number | undefined;
  /** The moment after which its caller no longer wants an answer. */
  readonly deadlineMs?: number | undefined;
  /** Its caller waits for the first token; otherwise for the whole answer. */
  readonly streamed?: boolean | undefined;
  /** Time to first token its caller asks for. */
  readonly ttftSloMs?: number | undefined;
  /** Share of its flow relative to the flows of the same band; 1 by default. */
  readonly flowWeight?: number | undefined;
  /** Where its flow stands in a hierarchy of tenants, the flow itself last: `org/team/key`; its fairness id when undefined. */
  readonly fairnessPath?: string | undefined;
  /** The limit on its tenant's requests in flight, shared by all of the tenant's flows. */
  readonly cap?: InFlightCap | undefined;
  /** The limit on its tenant's tokens a minute, shared in the same way. */
  readonly tokenBucket?: TokenBucket | undefined;
  /** Its prompt's hashes, when a plugin wants them. */
  readonly prefix?: PromptPrefix | undefined;
  /** Those of its headers that a plugin wants, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Token counts as reported by the model server. */
export interface Usage {
  readonly promptTokens?: number | undefined;
  readonly completionTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
}
