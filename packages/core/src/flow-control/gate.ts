// SPDX-License-Identifier: Apache-2.0

/**
 * Tier 1's gate: a band whose ceiling the saturation has reached stops, and, where bands are served strictly, every band
 * below it stops too. Ceilings are asked once per pump, into a buffer pre-filled with 1.0, so that a policy that writes
 * nothing holds nothing back; saturation is asked before every dispatch, because each one changes it.
 */

import type { Bands } from './bands.ts';
import type { FlowEvent } from './events.ts';
import type { UsageLimitPolicy } from './policies.ts';
import type { GateSnapshot } from './snapshot.ts';

export class Gate {
  #policy: UsageLimitPolicy;
  #state: unknown;
  readonly #bands: Bands;
  readonly #onFault: (policy: UsageLimitPolicy, error: unknown) => void;
  /** The highest band that was closed in this pump; -1 for none. */
  #index = -1;
  /** The priorities of those that were closed in this pump, each for itself. */
  readonly #held = new Set<number>();
  /** The ceilings that the policy has written. */
  #filled: Float64Array | undefined;
  #isStrict = true;
  /** Whether the highest ceiling was reached in this pump. */
  #isAllHeld = false;
  #saturation = 0;
  #closed: GateSnapshot | undefined;
  #heldMs = 0;
  #heldSinceMs: number | undefined;

  /** `onFault`: the policy threw; then nothing is held back. */
  constructor(
    policy: UsageLimitPolicy,
    parts: { readonly bands: Bands; readonly onFault: (policy: UsageLimitPolicy, error: unknown) => void },
  ) {
    this.#policy = policy;
    this.#state = policy.newState();
    this.#bands = parts.bands;
    this.#onFault = parts.onFault;
  }

  /** The highest band that is held, as of the last pump. */
  get closed(): GateSnapshot | undefined {
    return this.#closed;
  }

  /** Another policy from now on; the same one goes on with what it remembers. */
  reconfigure(policy: UsageLimitPolicy): void {
    if (policy === this.#policy) return;
    this.#state = policy.newState();
    this.#policy = policy;
  }

  /** Begins a pump; `isStrict`: the first band that is closed closes all below. */
  ask(saturation: number, isStrict: boolean): void {
    this.#fill(saturation);
    this.#index = -1;
    // Clearing makes a new table, also of an empty set.
    if (this.#held.size > 0) this.#held.clear();
    this.#isStrict = isStrict;
    this.#isAllHeld = false;
  }

  /** Whether the band of this priority is held, as of the last pump. */
  holds(priority: number): boolean {
    const { closed } = this;
    if (closed === undefined) return false;
    return this.#isStrict ? priority <= closed.priority : this.#isAllHeld || this.#held.has(priority);
  }

  ceiling(index: number): number {
    const ceiling = this.#bands.ceilings[index];
    return ceiling === undefined || Number.isNaN(ceiling) ? 1 : ceiling;
  }

  /** Whether the band at `index` has to stop. */
  closes(index: number, saturation: number): boolean {
    // A band that was made since, by one who was dispatched and asks again at once, has a ceiling too.
    if (this.#bands.ceilings !== this.#filled) this.#fill(saturation);
    if (saturation < this.ceiling(index)) return false;
    if (!this.#isStrict) this.#held.add(this.#bands.priorities[index] as number);
    this.#index = this.#index < 0 ? index : Math.min(index, this.#index);
    this.#saturation = saturation;
    return true;
  }

  /** Whether every band has to stop, each for itself; `index`: the highest that has something to send. */
  closesAll(index: number, saturation: number): boolean {
    if (this.#bands.ceilings !== this.#filled) this.#fill(saturation);
    for (let each = 0; each < this.#bands.ceilings.length; each += 1) if (saturation < this.ceiling(each)) return false;
    this.#isAllHeld = true;
    this.#index = Math.min(index, this.#index);
    return true;
  }

  /**
   * Ends a pump: the event to tell when the gate is another than after the last one. `held` says that room was kept from
   * someone who could have used it.
   */
  settle(input: { readonly nowMs: number; readonly busy: boolean; readonly held: boolean }): FlowEvent | undefined {
    const { nowMs, busy } = input;
    const index = busy ? this.#index : -1;
    this.#count(nowMs, busy && (input.held || (index >= 0 && this.#saturation < 1)));
    const priority = index < 0 ? undefined : this.#bands.priorities[index];
    const before = this.#closed;
    if (priority === undefined) {
      this.#closed = undefined;
      return before === undefined ? undefined : { kind: 'ungated', atMs: nowMs };
    }
    const saturation = this.#saturation;
    const ceiling = this.ceiling(index);
    if (before?.priority === priority && before.saturation === saturation && before.ceiling === ceiling)
      return undefined;
    this.#closed = { priority, saturation, ceiling, sinceMs: before?.priority === priority ? before.sinceMs : nowMs };
    if (before?.priority === priority) return undefined;
    return { kind: 'gated', band: priority, saturation, ceiling, atMs: nowMs };
  }

  /** Milliseconds during which a request waited although the pool had room that it could have used. */
  heldWhileIdleMs(nowMs: number): number {
    return this.#heldMs + (this.#heldSinceMs === undefined ? 0 : nowMs - this.#heldSinceMs);
  }

  #fill(saturation: number): void {
    const { ceilings, priorities } = this.#bands;
    this.#filled = ceilings;
    open(ceilings);
    try {
      this.#policy.ceilings(this.#state, { priorities, saturation }, ceilings);
    } catch (error) {
      open(ceilings);
      this.#onFault(this.#policy, error);
    }
  }

  #count(nowMs: number, held: boolean): void {
    if (this.#heldSinceMs !== undefined) this.#heldMs += nowMs - this.#heldSinceMs;
    this.#heldSinceMs = held ? nowMs : undefined;
  }
}

/** A loop: `fill` costs more for the few there are, and this is done for every dispatch. */
function open(ceilings: Float64Array): void {
  for (let index = 0; index < ceilings.length; index += 1) ceilings[index] = 1;
}
