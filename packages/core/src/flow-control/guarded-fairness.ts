// SPDX-License-Identifier: Apache-2.0

/**
 * A band's fairness policy, which is somebody else's code, so that whatever it throws is told and ends here: it may cost
 * its band the order, and never a request or the process. What it picks is checked by the band.
 */

import type { BandContext, FairnessPolicy, LagFacts, Member } from './policies.ts';

export class GuardedFairness implements FairnessPolicy {
  readonly policy: FairnessPolicy;
  readonly type: string;
  readonly name: string;
  readonly #onFault: (error: unknown) => void;

  constructor(policy: FairnessPolicy, onFault: (error: unknown) => void) {
    this.policy = policy;
    this.type = policy.type;
    this.name = policy.name;
    this.#onFault = onFault;
  }

  /** Undefined when it throws. */
  newState(context: BandContext, band?: unknown): unknown {
    try {
      return this.policy.newState(context, band);
    } catch (error) {
      this.#onFault(error);
      return undefined;
    }
  }

  /** Undefined when it throws. */
  newMemberState(): unknown {
    try {
      return this.policy.newMemberState();
    } catch (error) {
      this.#onFault(error);
      return undefined;
    }
  }

  ready(state: unknown, member: Member): void {
    try {
      this.policy.ready(state, member);
    } catch (error) {
      this.#onFault(error);
    }
  }

  unready(state: unknown, member: Member): void {
    try {
      this.policy.unready(state, member);
    } catch (error) {
      this.#onFault(error);
    }
  }

  headChanged(state: unknown, member: Member): void {
    try {
      this.policy.headChanged?.(state, member);
    } catch (error) {
      this.#onFault(error);
    }
  }

  /** @throws whatever the policy does: who asks has to find somebody else then. */
  pick(state: unknown): Member | undefined {
    return this.policy.pick(state);
  }

  charge(state: unknown, member: Member, cost: number): void {
    try {
      this.policy.charge?.(state, member, cost);
    } catch (error) {
      this.#onFault(error);
    }
  }

  settle(state: unknown, member: Member, delta: number): void {
    try {
      this.policy.settle?.(state, member, delta);
    } catch (error) {
      this.#onFault(error);
    }
  }

  lagBound(facts: LagFacts): number | undefined {
    try {
      return this.policy.lagBound?.(facts);
    } catch (error) {
      this.#onFault(error);
      return undefined;
    }
  }
}
