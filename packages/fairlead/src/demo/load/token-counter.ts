// SPDX-License-Identifier: Apache-2.0

/**
 * Reads a streamed chat completion for what the load measures: when text comes, how much, and whether the answer is
 * complete. Each event with text counts as one token, as engines send them; an engine that puts several into one event
 * is put right by the usage it reports at the end.
 */

import { StringDecoder } from 'node:string_decoder';

/** A longer line is not an event of a completion. */
const MAX_LINE_CHARS = 1024 * 1024;

/** Text of an answer, or of the thoughts before it, by the names different engines use. */
interface Delta {
  readonly content?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
}

interface EventUsage {
  readonly completion_tokens?: unknown;
  readonly prompt_tokens?: unknown;
  readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null;
}

interface CompletionEvent {
  readonly choices?: readonly ({ readonly delta?: Delta | null } | null)[] | null;
  readonly usage?: EventUsage | null;
  readonly error?: { readonly message?: unknown } | string;
}

export class TokenCounter {
  readonly #decoder = new StringDecoder('utf8');
  #partialLine = '';
  #counted = 0;
  #usageTokens = 0;
  #promptTokens: number | undefined;
  #cachedTokens: number | undefined;
  #complete = false;
  #problem: string | undefined;

  /** True once `data: [DONE]` was read. */
  get complete(): boolean {
    return this.#complete;
  }

  /** What is wrong with the answer; undefined as long as nothing is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Tokens seen as text that came. */
  get counted(): number {
    return this.#counted;
  }

  /** Tokens that the reported usage has beyond those counted; 0 when it reports none. */
  get uncounted(): number {
    return Math.max(0, this.#usageTokens - this.#counted);
  }

  /** Of the prompt, as the reported usage has it. */
  get promptTokens(): number | undefined {
    return this.#promptTokens;
  }

  /** Of the prompt, what the server had in its cache, as the reported usage has it. */
  get cachedTokens(): number | undefined {
    return this.#cachedTokens;
  }

  /** Reads more bytes of the body; returns the tokens that came with them. Never throws. */
  push(chunk: Buffer): number {
    const before = this.#counted;
    const lines = (this.#partialLine + this.#decoder.write(chunk)).split('\n');
    this.#partialLine = lines.pop() ?? '';
    if (this.#partialLine.length > MAX_LINE_CHARS) {
      this.#partialLine = '';
      this.#problem ??= `an event of more than ${MAX_LINE_CHARS} characters`;
    }
    for (const line of lines) this.#line(line);
    return this.#counted - before;
  }

  #line(line: string): void {
    if (!line.startsWith('data:')) return;
    const data = line.slice('data:'.length).trim();
    if (data === '[DONE]') {
      this.#complete = true;
      return;
    }
    let event: CompletionEvent | null;
    try {
      event = JSON.parse(data) as CompletionEvent | null;
    } catch {
      this.#problem ??= 'an event that is not JSON';
      return;
    }
    if (typeof event !== 'object' || event === null) return;
    if (event.error !== undefined) this.#problem ??= 'an error event';
    if (typeof event.usage === 'object' && event.usage !== null) this.#usage(event.usage);
    const delta = event.choices?.[0]?.delta;
    if (isText(delta?.content) || isText(delta?.reasoning_content) || isText(delta?.reasoning)) this.#counted++;
  }

  #usage({ completion_tokens, prompt_tokens, prompt_tokens_details }: EventUsage): void {
    const cached = prompt_tokens_details?.cached_tokens;
    if (typeof completion_tokens === 'number') this.#usageTokens = completion_tokens;
    if (typeof prompt_tokens === 'number') this.#promptTokens = prompt_tokens;
    if (typeof cached === 'number') this.#cachedTokens = cached;
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
