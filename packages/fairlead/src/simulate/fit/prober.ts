// SPDX-License-Identifier: Apache-2.0

/** Asks a real model server, and says when what came. Prompts are of words by chance, so that no cache knows them. */

import type { Random } from '@fairlead/core';
import { StreamingClient } from '../../demo/load/streaming-client.ts';

/** What to ask for. */
export interface Probe {
  /** About as many tokens. */
  readonly promptWords: number;
  readonly outputTokens: number;
}

/** What came; times on one clock, in milliseconds. */
export interface ProbeResult {
  readonly promptTokens: number;
  /** At least 1. */
  readonly outputTokens: number;
  readonly sentMs: number;
  readonly firstMs: number;
  readonly endMs: number;
}

/** The server did not answer a probe, or not with a stream of tokens. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError';
}

const WORDS = 'river stone amber candle orbit lantern meadow copper violet harbor pepper winter mirror ladder'.split(
  ' ',
);

export class Prober {
  readonly #client = new StreamingClient();
  readonly #target: { readonly baseUrl: string; readonly model: string };
  readonly #random: Random;
  readonly #stop: AbortSignal;

  constructor(target: { readonly baseUrl: string; readonly model: string }, random: Random, stop: AbortSignal) {
    this.#target = target;
    this.#random = random;
    this.#stop = stop;
  }

  /** @throws {ProbeError} */
  ask({ promptWords, outputTokens }: Probe): Promise<ProbeResult> {
    return new Promise((resolve, reject) => {
      let promptTokens = promptWords;
      let tokens = 0;
      let firstMs = NaN;
      const request = {
        ...this.#target,
        apiKey: undefined,
        prompt: this.#prompt(promptWords),
        maxTokens: outputTokens,
      };
      const cancel = (): void => stream.cancel();
      const stream = this.#client.send(request, {
        firstToken: () => (firstMs = performance.now()),
        tokens: (count) => (tokens += count),
        promptTokens: (count) => (promptTokens = count),
        ended: (ending) => {
          this.#stop.removeEventListener('abort', cancel);
          const { sentAtMs: sentMs } = stream;
          if (ending.kind === 'ok' && tokens > 0) {
            resolve({ promptTokens, outputTokens: tokens, sentMs, firstMs, endMs: performance.now() });
          } else reject(new ProbeError(ending.kind === 'failed' ? ending.reason : 'no token came'));
        },
      });
      this.#stop.addEventListener('abort', cancel, { once: true });
    });
  }

  /** At once, all of them. @throws {ProbeError} */
  askAll(count: number, probe: Probe): Promise<ProbeResult[]> {
    return Promise.all(Array.from({ length: count }, () => this.ask(probe)));
  }

  async close(): Promise<void> {
    await this.#client.destroy();
  }

  #prompt(words: number): string {
    const word = (): string => WORDS[Math.floor(this.#random() * WORDS.length)]!;
    return Array.from({ length: words }, word).join(' ');
  }
}
