// SPDX-License-Identifier: Apache-2.0

/**
 * What is told of one request when it is over: a front door hands out exactly one report for every request it received,
 * refused ones included. The access log and the request metrics are made from it. It names sizes, times and ids, never
 * a credential, a header or a byte of a body.
 */

import type { Ending, Outcome, Usage } from '@fairlead/core';

/** Status reported of a client that left before it was given one, as nginx has it. */
export const CLIENT_LEFT = 499;

/** `refused`: another endpoint after a refused connection. `reset-idle`: a fresh connection after a kept-alive one was reset. */
export const RETRY_KINDS = ['refused', 'reset-idle'] as const;

export type RetryKind = (typeof RETRY_KINDS)[number];

export interface RequestReport {
  readonly id: string;
  /** Route as known to the table (`/v1/chat/completions`), never the client's raw path. */
  readonly route?: string | undefined;
  /** Who asked, once identified. */
  readonly tenant?: string | undefined;
  /** True when a configured key or a trusted source named the tenant, false when it was guessed from key or address. */
  readonly verified?: boolean | undefined;
  readonly priority?: number | undefined;
  /** True when a trusted source named an objective that is not configured. */
  readonly unknownObjective?: boolean | undefined;
  readonly model?: string | undefined;
  readonly targetModel?: string | undefined;
  /** The rule of `modelRewrites` that chose the target. */
  readonly modelRewrite?: string | undefined;
  readonly pool?: string | undefined;
  /** Name of the endpoint that answered, or was tried last. */
  readonly endpoint?: string | undefined;
  /** Status the client was given; `CLIENT_LEFT` when it left before one was. */
  readonly status: number;
  /** How its wait ended; undefined when it was refused before it could wait. */
  readonly outcome?: Outcome | undefined;
  /** How its permit ended; undefined when it had none. */
  readonly ending?: Ending | undefined;
  /** Short code of why it was refused or failed (`rejected-saturated`, `invalid_api_key`, `connection-reset`): one of a small set. */
  readonly reason?: string | undefined;
  /** True when the answer was an event stream. */
  readonly streamed?: boolean | undefined;
  readonly waitMs?: number | undefined;
  /** From its first byte to the first byte of the answer's body. */
  readonly ttftMs?: number | undefined;
  /** From its first byte to the last of the answer. */
  readonly durationMs: number;
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
  /** Why it was tried again at a model server, in order; absent or empty when it was not. */
  readonly retries?: readonly RetryKind[] | undefined;
  readonly usage?: Usage | undefined;
}

/** A report that is being put together. */
export type ReportDraft = { -readonly [K in keyof RequestReport]: RequestReport[K] };

/** One of which only the id is known. All its fields are there from the beginning, which makes each cheaper to set. */
export function reportDraft(id: string): ReportDraft {
  return {
    id,
    route: undefined,
    tenant: undefined,
    verified: undefined,
    priority: undefined,
    unknownObjective: undefined,
    model: undefined,
    targetModel: undefined,
    modelRewrite: undefined,
    pool: undefined,
    endpoint: undefined,
    status: 0,
    outcome: undefined,
    ending: undefined,
    reason: undefined,
    streamed: undefined,
    waitMs: undefined,
    ttftMs: undefined,
    durationMs: 0,
    requestBytes: 0,
    responseBytes: undefined,
    retries: undefined,
    usage: undefined,
  };
}
