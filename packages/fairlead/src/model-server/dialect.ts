// SPDX-License-Identifier: Apache-2.0

/** What an API's answers are made of; `dialects.ts` has them all. */

import type { GenerationRequest } from './inference-request.ts';

/** What every part of one answer repeats. */
export interface AnswerHead {
  readonly id: string;
  readonly createdS: number;
  readonly model: string;
  /** Prompt tokens that were in the prefix cache, as far as its sequences have begun; absent without a cache. */
  cachedTokens?(): number;
}

/** The events of one streamed choice, prepared once so that a token costs little more than a concatenation. */
export interface EventFrame {
  /** Sent before the first token; empty where the API has none. */
  readonly opening: string;
  /** The event of a token; `text` is as it stands inside a JSON string. */
  token(index: number, text: string): string;
}

export interface Dialect {
  /** Of the answer's id. */
  readonly idPrefix: string;
  frame(head: AnswerHead, request: GenerationRequest, choice: number): EventFrame;
  /** Sent when every choice has ended. */
  closing(head: AnswerHead, request: GenerationRequest): string;
  /** The answer as one JSON body. */
  body(head: AnswerHead, request: GenerationRequest): string;
}

/** What a named event says; its name is its type. */
export type NamedEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A server-sent event with a name. */
export function namedEvent(data: NamedEvent): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Stands for a token's text in an event that is to be halved: a character that no request id can hold. */
export const TEXT = '\ue000';

/** What comes before and after the text of an event made with `TEXT`. */
export function halves(event: string): readonly [before: string, after: string] {
  const at = event.lastIndexOf(TEXT);
  return [event.slice(0, at), event.slice(at + TEXT.length)];
}
