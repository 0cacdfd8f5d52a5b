// SPDX-License-Identifier: Apache-2.0

/**
 * The bands there are, highest first. Configured ones and band 0 exist from the start; one for a priority that an
 * objective or a key names is made from its template at first use and forgotten when it has been idle for long. Any
 * other priority has no band, because a client that may invent priorities could make itself any number of queues.
 */

import { BandSelection } from './band-selection.ts';
import type { BandConfig, BandTemplate, FlowControlConfig } from './config.ts';
import { type BandCallbacks, type Flow, PriorityBand } from './priority-band.ts';
import type { BandSelectionPolicy } from './policies.ts';
import { RecentShares } from './recent-shares.ts';
import type { WaitingRequest } from './waiting-request.ts';

/** What a change of configuration asks and tells. */
export interface BandChanges {
  /** Where a waiting request's band puts it now. */
  readonly rankOf: (waiting: WaitingRequest<Flow>) => number;
  readonly onCreated: (band: PriorityBand) => void;
  readonly onForgotten: (band: PriorityBand) => void;
}

interface SelectionCallbacks {
  /** The band selection policy broke its contract. */
  readonly onSelectionFault: (policy: BandSelectionPolicy, error: unknown) => void;
}

export class Bands {
  /** Which of them is served next. */
  readonly selection: BandSelection<PriorityBand>;
  /** What of all that is dispatched goes to each. */
  readonly shares = new RecentShares();
  #config: FlowControlConfig;
  #isLagPaused = false;
  readonly #callbacks: BandCallbacks;
  #known: ReadonlySet<number>;
  readonly #byPriority = new Map<number, PriorityBand>();
  #ordered: readonly PriorityBand[] = [];
  #priorities: readonly number[] = [];
  /** The ceilings buffer of `UsageLimitPolicy`, as long as `ordered`. */
  #ceilings = new Float64Array(0);

  constructor(
    config: FlowControlConfig,
    callbacks: Omit<BandCallbacks, 'onContending' | 'onCharged' | 'onSettled'> & SelectionCallbacks,
  ) {
    this.#config = config;
    this.selection = new BandSelection(config.bandSelection, callbacks.onSelectionFault);
    this.#callbacks = {
      ...callbacks,
      onContending: ({ contender }, contends) => {
        this.selection.contend(contender, contends);
      },
      onCharged: ({ contender }, cost) => this.selection.charge(contender, cost),
      onSettled: ({ contender }, charge, delta) => {
        this.selection.settle(contender, charge, delta);
      },
    };
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
    return this.#add({ ...this.#templateOf(priority), priority }, false);
  }

  /**
   * Other bands from now on. One that is neither configured nor known any more takes nothing new, keeps its old limits
   * and policies, and goes when it is empty.
   */
  reconfigure(config: FlowControlConfig, told: BandChanges): void {
    this.#config = config;
    this.#known = new Set(config.knownPriorities);
    const wanted = new Map(config.bands.map((band) => [band.priority, band]));
    if (!wanted.has(0)) wanted.set(0, { priority: 0, ...config.defaultBand });
    for (const band of [...this.#ordered]) {
      const configured = wanted.get(band.priority);
      const template = configured ?? (this.knows(band.priority) ? this.#templateOf(band.priority) : undefined);
      band.configured = configured !== undefined;
      band.leaving = template === undefined;
      wanted.delete(band.priority);
      if (configured === undefined && band.flows.size === 0) {
        this.remove(band);
        told.onForgotten(band);
      } else if (template !== undefined) band.reconfigure(template, told.rankOf);
    }
    for (const band of wanted.values()) told.onCreated(this.#add(band, true));
    this.selection.reconfigure(config.bandSelection);
  }

  /** Whether lag is measured: not while everything is let through. */
  pauseLag(isPaused: boolean): void {
    this.#isLagPaused = isPaused;
    for (const band of this.#ordered) band.lag.pause(isPaused);
  }

  remove(band: PriorityBand): void {
    this.#byPriority.delete(band.priority);
    this.selection.remove(band.contender);
    this.#reorder();
  }

  #templateOf(priority: number): BandTemplate {
    return priority < 0 ? this.#config.defaultNegativeBand : this.#config.defaultBand;
  }

  #add(config: BandConfig, configured: boolean): PriorityBand {
    const band = new PriorityBand(config, configured, this.#callbacks);
    if (this.#isLagPaused) band.lag.pause(true);
    this.#byPriority.set(config.priority, band);
    this.selection.add(band.contender);
    this.#reorder();
    return band;
  }

  #reorder(): void {
    this.#ordered = [...this.#byPriority.values()].sort((a, b) => b.priority - a.priority);
    this.#ordered.forEach((band, index) => (band.index = index));
    this.#priorities = this.#ordered.map((band) => band.priority);
    this.#ceilings = new Float64Array(this.#ordered.length).fill(1);
  }
}
