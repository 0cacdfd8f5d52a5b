// SPDX-License-Identifier: Apache-2.0

/**
 * Asks a real model server, and says when what came. Prompts are of words by chance, so that no cache knows them, unless
 * they are asked by name.
 */

import type { Random } from '@fairlead/core';
import { StreamingClient } from '../../demo/load/streaming-client.ts';

/** What to ask for. */
export interface Probe {
  /** About as many tokens. */
  readonly promptWords: number;
  readonly outputTokens: number;
  /** Prompts of one name and length are the same. */
  readonly name?: string;
}

/** What came; times on one clock, in milliseconds. */
export interface ProbeResult {
  readonly promptTokens: number;
  /** Of these, what the server had in its cache, as it says. */
  readonly cachedTokens: number;
  /** When each token of the answer came; at least one. */
  readonly tokensMs: readonly number[];
  readonly sentMs: number;
  readonly endMs: number;
}

/** A server that can be asked. */
export interface ProbePort {
  /** The time, on the clock of results. */
  now(): number;
  /** @throws {ProbeError} */
  ask(probe: Probe): Promise<ProbeResult>;
}

/** The server did not answer a probe, or not with a stream of tokens. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError';
}

/** Some servers close a connection in the moment in which it is used again. */
const TRIES = 3;
const NO_ANSWER = 'no answer';

const WORDS = 'river stone amber candle orbit lantern meadow copper violet harbor pepper winter mirror ladder'.split(
  ' ',
);

export class Prober implements ProbePort {
  readonly #client = new StreamingClient();
  readonly #target: { readonly baseUrl: string; readonly model: string };
  readonly #random: Random;
  readonly #stop: AbortSignal;
  readonly #named = new Map<string, string>();

  constructor(target: { readonly baseUrl: string; readonly model: string }, random: Random, stop: AbortSignal) {
    this.#target = target;
    this.#random = random;
    this.#stop = stop;
  }

  now(): number {
    return performance.now();
  }

  async ask(probe: Probe): Promise<ProbeResult> {
    const prompt = this.#prompt(probe);
    for (let tries = 1; ; tries += 1) {
      const result = await this.#asked(prompt, probe);
      if (typeof result !== 'string') return result;
      if (!result.startsWith(NO_ANSWER) || tries === TRIES || this.#stop.aborted) throw new ProbeError(result);
    }
  }

  /** What came, or what was wrong. */
  #asked(prompt: string, { promptWords, outputTokens }: Probe): Promise<ProbeResult | string> {
    return new Promise((resolve) => {
      let promptTokens = promptWords;
      let cachedTokens = 0;
      const tokensMs: number[] = [];
      const cancel = (): void => stream.cancel();
      const request = { ...this.#target, apiKey: undefined, prompt, maxTokens: outputTokens };
      const stream = this.#client.send(request, {
        firstToken: () => undefined,
        tokens: (count) => {
          for (let token = 0; token < count; token += 1) tokensMs.push(this.now());
        },
        promptTokens: (count, cached = 0) => {
          promptTokens = count;
          cachedTokens = Math.min(count, cached);
        },
        ended: (ending) => {
          this.#stop.removeEventListener('abort', cancel);
          if (ending.kind === 'ok' && tokensMs.length > 0) {
            resolve({ promptTokens, cachedTokens, tokensMs, sentMs: stream.sentAtMs, endMs: this.now() });
          } else resolve(ending.kind === 'failed' ? ending.reason : 'no token came');
        },
      });
      this.#stop.addEventListener('abort', cancel, { once: true });
    });
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }

  #prompt({ promptWords, name }: Probe): string {
    const word = (): string => WORDS[Math.floor(this.#random() * WORDS.length)]!;
    const drawn = (): string => Array.from({ length: promptWords }, word).join(' ');
    if (name === undefined) return drawn();
    const key = `${name} ${promptWords}`;
    const prompt = this.#named.get(key) ?? drawn();
    this.#named.set(key, prompt);
    return prompt;
  }
}
