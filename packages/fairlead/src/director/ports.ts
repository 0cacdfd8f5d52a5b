// SPDX-License-Identifier: Apache-2.0

/**
 * What the director needs of the world, and nothing more: model servers to send to, the fleet they form, and someone
 * who takes the answer. Front doors implement `Answer`; `model-servers/` implements the rest.
 */

import type { Endpoint, Pool, PromptPrefix, Usage } from '@fairlead/core';
import type { HeaderBlock } from '../sockets/header-block.ts';
import type { Identity } from '../tenancy/identity.ts';
import type { RewrittenModel } from './model-rewrites.ts';
import type { Problem } from './problem.ts';

/** A request as a front door understood it. */
export interface Arrival {
  readonly id: string;
  readonly identity: Identity;
  /** The model its body names. */
  readonly model: string | undefined;
  /** What it is sent to instead, when that is another; the body says so already. */
  readonly rewritten?: RewrittenModel | undefined;
  readonly method: string;
  /** Path and query, as they go upstream. */
  readonly path: string;
  /** The body as it came: forwarded, never looked into. */
  readonly body: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** Sequences it makes a model server run, at least 1. */
  readonly sequences: number;
  /** It asks for an event stream. */
  readonly streamed?: boolean | undefined;
  /** Tokens its answer may have at most, when it says so. */
  readonly maxOutputTokens?: number | undefined;
  readonly images?: number | undefined;
  /** When its first byte arrived, on the director's clock. */
  readonly receivedMs: number;
  readonly ttlMs?: number | undefined;
  /** On the director's clock. */
  readonly deadlineMs?: number | undefined;
  readonly ttftSloMs?: number | undefined;
  /** Its prompt's hashes, when `Director.promptWish` asked for them. */
  readonly prefix?: PromptPrefix | undefined;
  /** Those of its headers that `Director.requestHeaders` names, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** The head of a model server's answer. */
export interface AnswerHead {
  readonly status: number;
  /** Names and values in turn, as received, but for the length; of a head that repeats it is the same list. */
  readonly headers: readonly string[];
  /** Of the body, in bytes; undefined: it is not told. */
  readonly lengthBytes: number | undefined;
  /** How long the request waited for its turn. */
  readonly waitMs: number;
  /** Nobody needs the body of the request any more. */
  readonly isBodyDone: boolean;
  /** What plugins add, by lower-case name. */
  readonly added?: Readonly<Record<string, string>> | undefined;
}

/**
 * Takes the answer to one request, in this order: `begin` once, `data` any number of times, then `end` or `fail`; or
 * `fail` alone. After `Journey.cancel` nothing more is called but `usage`.
 */
export interface Answer {
  /**
   * What goes to the model server of the request's headers; asked again for another try.
   * @throws {UnwritableRequest}
   */
  headersToSend(): HeaderBlock;
  /** Returns whether the answer is an event stream. */
  begin(head: AnswerHead): boolean;
  /** The chunk is lent until this returns. False: no more until `Journey.resume`. */
  data(chunk: Uint8Array): boolean;
  end(): void;
  /** There will be no answer, or no more of it; `waitMs` is how long the request had waited for its turn. */
  fail(problem: Problem, waitMs: number): void;
  /** Events of a stream so far: as a rule one for each token. */
  readonly events: number;
  /** Tokens as told by the answer so far. */
  usage(): Usage | undefined;
}

/** How a try at a model server failed. */
export type UpstreamErrorKind =
  /** Could not connect: nothing was sent. */
  | 'refused'
  /** A kept-alive connection ended before any byte of an answer: the server closed it while the request was written. */
  | 'reset-idle'
  /** A fresh connection ended before any byte of an answer; the server may have the request. */
  | 'reset'
  /** The answer had begun. */
  | 'died'
  | 'timeout-first-byte'
  | 'timeout-idle'
  /** What came is not HTTP. */
  | 'protocol'
  /** We are out of files, ports or memory for another connection: nothing was sent, and no word about the server. */
  | 'shortage'
  | 'aborted';

export interface UpstreamFailure {
  readonly kind: UpstreamErrorKind;
  readonly message: string;
}

/** One try at a model server. */
export interface UpstreamRequest {
  readonly endpoint: Endpoint;
  readonly method: string;
  /** Path and query, put behind the prefix of the endpoint's URL. */
  readonly path: string;
  readonly headers: HeaderBlock;
  /** Sent as `x-request-id`, so that both logs name the same request. */
  readonly requestId?: string | undefined;
  readonly body: readonly Uint8Array[];
  /** From the request to the head of the answer; 0 is for ever. Kept to about a second. */
  readonly firstByteTimeoutMs: number;
  /** Silence within the answer; 0 is for ever. Kept to about a second. */
  readonly idleTimeoutMs: number;
  /** Use a new connection, never one that was idle: the retry after `reset-idle`. */
  readonly freshConnection: boolean;
}

/** Told of one try, never before `send` returned; `onError` and `onEnd` exclude each other and are the last call. */
export interface UpstreamHandler {
  /**
   * `headers`: names and values in turn, as received, but for the length of the body, undefined when it is not told.
   * Of a head that repeats it is the same list.
   */
  onHeaders(status: number, headers: readonly string[], lengthBytes?: number): void;
  /** The chunk is lent until this returns. False: pause until `resume`. */
  onData(chunk: Uint8Array): boolean;
  onEnd(): void;
  onError(error: UpstreamFailure): void;
}

export interface UpstreamCall {
  /** The system has taken all of the request: nothing of it is needed for this try any more. */
  readonly isTaken?: boolean;
  abort(reason: string): void;
  resume(): void;
}

export interface UpstreamPort {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall;
}

/** One model that clients may name. */
export interface ServedModel {
  readonly id: string;
  readonly pool: Pool;
  /** The base model, when this is an adapter of one. */
  readonly parent?: string | undefined;
}

export interface FleetPort {
  readonly pools: readonly Pool[];
  /** False while some endpoint may still tell of models not known yet. */
  readonly modelsKnown: boolean;
  poolFor(model: string): Pool | undefined;
  models(): readonly ServedModel[];
  onPools(callback: (added: readonly Pool[], removed: readonly Pool[]) => void): void;
  onRead(callback: (endpoint: Endpoint) => void): void;
  /** Asks for an endpoint's metrics sooner than usual. */
  scrapeSoon(endpoint: Endpoint): void;
  readonly health: {
    /** The endpoint could not be connected to. */
    refused(endpoint: Endpoint, why: string): void;
    /** The endpoint answered a request of that tenant with something that is not HTTP. */
    nonsense(endpoint: Endpoint, why: string, tenant: string): void;
    /** The endpoint took a request of that tenant and gave nothing for it, or a 5xx. */
    failed(endpoint: Endpoint, why: string, tenant: string): void;
    /** The endpoint began to answer a request of that tenant. */
    answered(endpoint: Endpoint, tenant: string): void;
    /** The first byte of a streamed answer came so long after the request was sent. */
    firstByte(endpoint: Endpoint, tookMs: number): void;
  };
}
