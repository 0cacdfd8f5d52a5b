// SPDX-License-Identifier: Apache-2.0

/**
 * How full a pool is, from how full its endpoints are. What an endpoint holds beyond its own limit (the limit has
 * shrunk, or a bypass was on) fills nobody else, so as long as any endpoint has room the pool has, and the gate must not
 * keep that room from those who wait. Only when none has may saturation exceed 1.
 */

export class PoolUse {
  #used = 0;
  #withinLimits = 0;
  #available = 0;

  /** Counts one endpoint: what it uses, of how much. */
  add(used: number, available: number): void {
    this.#used += used;
    this.#withinLimits += Math.min(used, available);
    this.#available += available;
  }

  /** Used ÷ available; 1 when nothing is available at all. */
  get saturation(): number {
    if (this.#available === 0) return 1;
    const used = this.#withinLimits < this.#available ? this.#withinLimits : this.#used;
    return used / this.#available;
  }
}
