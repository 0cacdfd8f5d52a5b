// SPDX-License-Identifier: Apache-2.0

/**
 * How long model servers take for a request from its dispatch to what its caller waits for: the last byte, or the first
 * token of a stream. Requests are told apart by that, and by how patient their callers are, in powers of two: who allows
 * five seconds asks for other answers than who allows ten minutes, and what the one takes says nothing of the other.
 */

import type { InferenceRequest } from '../request/inference-request.ts';

/** How much is remembered for each kind. */
interface Memory {
  /** The latest so many, */
  readonly samples: number;
  /** so many make an estimate, */
  readonly least: number;
  /** which is made anew after so many more. */
  readonly fresh: number;
}

/** Of all together, and of one flow: there are thousands of those, and a few of its own answers say more of it than many others'. */
const OF_ALL: Memory = { samples: 128, least: 16, fresh: 8 };
const OF_ONE: Memory = { samples: 32, least: 4, fresh: 2 };
/** Kinds by patience: up to 1 s, 2 s, 4 s … and everything beyond 2¹² s. */
const PATIENCE_KINDS = 14;
/** A caller who left unserved would have waited longer than that: by how much is not known, so a little is assumed. */
const UNSEEN_FACTOR = 1.25;

/** The share of requests that an estimate covers: nearly all, or hardly any. */
export type Coverage = 'most' | 'few';
const SHARES: Readonly<Record<Coverage, number>> = { most: 0.9, few: 0.1 };

class Times {
  readonly #memory: Memory;
  readonly #samples: Float64Array;
  #count = 0;
  #estimatedAt = 0;
  #estimates: Record<Coverage, number> | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#samples = new Float64Array(memory.samples);
  }

  note(tookMs: number): void {
    this.#samples[this.#count % this.#samples.length] = tookMs;
    this.#count += 1;
  }

  estimate(coverage: Coverage): number | undefined {
    const { least, fresh, samples } = this.#memory;
    if (this.#count < least) return undefined;
    if (this.#estimates === undefined || this.#count - this.#estimatedAt >= fresh) {
      const sorted = this.#samples.slice(0, Math.min(samples, this.#count)).sort();
      const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] as number;
      this.#estimates = { most: at(SHARES.most), few: at(SHARES.few) };
      this.#estimatedAt = this.#count;
    }
    return this.#estimates[coverage];
  }
}

export class ServiceTimes {
  readonly #memory: Memory;
  /** By kind; made at first use. */
  readonly #times: (Times | undefined)[] = [];

  constructor(of: 'all' | 'one') {
    this.#memory = of === 'all' ? OF_ALL : OF_ONE;
  }

  /** The request was answered, so long after its dispatch. */
  answered(request: InferenceRequest, tookMs: number): void {
    this.#of(request)?.note(tookMs);
  }

  /** Its caller's time was over before, and with it the answer is lost: it took at least so long. */
  unanswered(request: InferenceRequest, afterMs: number): void {
    this.#of(request)?.note(afterMs * UNSEEN_FACTOR);
  }

  /** What such a request takes; undefined while too few are known. */
  estimateMs(request: InferenceRequest, coverage: Coverage): number | undefined {
    return this.#of(request)?.estimate(coverage);
  }

  #of({ deadlineMs, receivedMs, streamed }: InferenceRequest): Times | undefined {
    if (deadlineMs === undefined) return undefined;
    const patienceS = Math.max(1, (deadlineMs - receivedMs) / 1000);
    const kind = Math.min(PATIENCE_KINDS - 1, Math.ceil(Math.log2(patienceS)));
    return (this.#times[streamed === true ? kind + PATIENCE_KINDS : kind] ??= new Times(this.#memory));
  }
}
