// SPDX-License-Identifier: Apache-2.0

/**
 * Tier 1's gate: bands are served highest first, and the first whose ceiling the saturation has reached stops itself and
 * every band below. Ceilings are asked once per pump, into a buffer pre-filled with 1.0, so that a policy that writes
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
  #index = -1;
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

  /** Begins a pump. */
  ask(saturation: number): void {
    const { ceilings, priorities } = this.#bands;
    open(ceilings);
    try {
      this.#policy.ceilings(this.#state, { priorities, saturation }, ceilings);
    } catch (error) {
      open(ceilings);
      this.#onFault(this.#policy, error);
    }
    this.#index = -1;
  }

  ceiling(index: number): number {
    const ceiling = this.#bands.ceilings[index];
    return ceiling === undefined || Number.isNaN(ceiling) ? 1 : ceiling;
  }

  /** Whether the band at `index` has to stop, and with it all below. */
  closes(index: number, saturation: number): boolean {
    if (saturation < this.ceiling(index)) return false;
    this.#index = index;
    this.#saturation = saturation;
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

  #count(nowMs: number, held: boolean): void {
    if (this.#heldSinceMs !== undefined) this.#heldMs += nowMs - this.#heldSinceMs;
    this.#heldSinceMs = held ? nowMs : undefined;
  }
}

/** A loop: `fill` costs more for the few there are, and this is done for every dispatch. */
function open(ceilings: Float64Array): void {
  for (let index = 0; index < ceilings.length; index += 1) ceilings[index] = 1;
}
