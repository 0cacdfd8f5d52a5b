// SPDX-License-Identifier: Apache-2.0

/**
 * The bands there are, highest first. Configured ones and band 0 exist from the start; one for a priority that an
 * objective or a key names is made from its template at first use and forgotten when it has been idle for long. Any
 * other priority has no band, because a client that may invent priorities could make itself any number of queues.
 */

import type { BandConfig, FlowControlConfig } from './config.ts';
import { type BandCallbacks, PriorityBand } from './priority-band.ts';

export class Bands {
  readonly #config: FlowControlConfig;
  readonly #callbacks: BandCallbacks;
  readonly #known: ReadonlySet<number>;
  readonly #byPriority = new Map<number, PriorityBand>();
  #ordered: readonly PriorityBand[] = [];
  #priorities: readonly number[] = [];
  /** The ceilings buffer of `UsageLimitPolicy`, as long as `ordered`. */
  #ceilings = new Float64Array(0);

  constructor(config: FlowControlConfig, callbacks: BandCallbacks) {
    this.#config = config;
    this.#callbacks = callbacks;
    this.#known = new Set(config.knownPriorities);
    for (const band of config.bands) this.#add(band, true);
    if (!this.#byPriority.has(0)) this.#add({ priority: 0, ...config.defaultBand }, true);
  }

  /** Highest priority first. */
  get ordered(): readonly PriorityBand[] {
    return this.#ordered;
  }

  get priorities(): readonly number[] {
    return this.#priorities;
  }

  get ceilings(): Float64Array {
    return this.#ceilings;
  }

  get(priority: number): PriorityBand | undefined {
    return this.#byPriority.get(priority);
  }

  /** Whether a band may be made for this priority. */
  knows(priority: number): boolean {
    return this.#known.has(priority);
  }

  /** Band 0, which always exists. */
  get fallback(): PriorityBand {
    return this.#byPriority.get(0) as PriorityBand;
  }

  /** Makes the band of a known priority from its template. */
  create(priority: number): PriorityBand {
    const template = priority < 0 ? this.#config.defaultNegativeBand : this.#config.defaultBand;
    return this.#add({ ...template, priority }, false);
  }

  remove(band: PriorityBand): void {
    this.#byPriority.delete(band.priority);
    this.#reorder();
  }

  #add(config: BandConfig, configured: boolean): PriorityBand {
    const band = new PriorityBand(config, configured, this.#callbacks);
    this.#byPriority.set(config.priority, band);
    this.#reorder();
    return band;
  }

  #reorder(): void {
    this.#ordered = [...this.#byPriority.values()].sort((a, b) => b.priority - a.priority);
    this.#priorities = this.#ordered.map((band) => band.priority);
    this.#ceilings = new Float64Array(this.#ordered.length).fill(1);
  }
}
