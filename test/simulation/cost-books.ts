// SPDX-License-Identifier: Apache-2.0

/**
 * What everything cost, kept beside what policies were told: each request is charged once when it goes, to its flow and
 * to its band, and in the end neither is charged anything but what its requests really were.
 */

import assert from 'node:assert/strict';
import type { BandSelectionPolicy, FairnessPolicy, FlowEvent } from '@fairlead/core';
import type { Bands } from '../../packages/core/src/flow-control/bands.ts';
import type { PriorityBand } from '../../packages/core/src/flow-control/priority-band.ts';

/** What a policy was told of a flow or a band, and what it should have been. */
interface Account {
  readonly name: string;
  charged: number;
  due: number;
  /** Another policy took its place meanwhile, which gives nothing back that the one before took. */
  isLost: boolean;
}

/** A request in flight: whom it is charged to, under which policies. */
interface Open {
  readonly flow: object;
  readonly band: PriorityBand;
  readonly policies: number;
  /** How often bands had been selected otherwise by then. */
  readonly selections: number;
  /** Tokens of its answer that have passed. */
  streamed: number;
}

export class CostBooks {
  readonly #accounts = new Map<object, Account>();
  /** What bands should have cost, whatever policies they had. */
  readonly #dueOfBands = new Map<PriorityBand, number>();
  readonly #open = new Map<string, Open>();
  #selections = 0;
  /** Charged since the last dispatch. */
  #charges: { readonly account: object; readonly cost: number }[] = [];

  /** Lets the books hear what these are told. They stay the instances that they are. */
  watchFairness(policies: readonly FairnessPolicy[]): void {
    for (const policy of policies) {
      const { charge, settle } = policy;
      policy.charge = (state, flow, cost) => {
        this.#charge(flow, cost);
        charge?.call(policy, state, flow, cost);
      };
      policy.settle = (state, flow, delta) => {
        this.#account(flow).charged += delta;
        settle?.call(policy, state, flow, delta);
      };
    }
  }

  watchSelection(policies: readonly BandSelectionPolicy[]): void {
    for (const policy of policies) {
      const { charge, settle } = policy;
      policy.charge = (state, band, cost) => {
        this.#charge(band, cost);
        return charge?.call(policy, state, band, cost);
      };
      policy.settle = (state, band, correction) => {
        this.#account(band).charged += correction.delta;
        settle?.call(policy, state, band, correction);
      };
    }
  }

  /** Another policy selects bands from now on. */
  selectOtherwise(): void {
    this.#selections += 1;
  }

  saw(event: FlowEvent, bands: Bands): void {
    if (event.kind === 'dispatched') this.#dispatched(event, bands);
    else if (event.kind === 'requeued') this.#over(event.request.id, 0);
    else if (event.kind === 'ended') {
      const { promptTokens = 0, completionTokens = 0 } = event.usage ?? {};
      // Of an answer that was cut off more may have passed than its server says.
      const passed = event.ending === 'succeeded' ? 0 : this.#open.get(event.request.id)!.streamed;
      this.#over(event.request.id, Math.max(1, promptTokens + 2 * Math.max(completionTokens, passed)));
    }
  }

  /** So many tokens of an answer have passed by now. */
  streamed(id: string, tokens: number): void {
    this.#open.get(id)!.streamed = tokens;
  }

  /** When nothing is in flight. */
  checkOver(): void {
    assert.equal(this.#open.size, 0);
    for (const { name, charged, due, isLost } of this.#accounts.values()) {
      assert.ok(isLost || isNear(charged, due), `${name} was charged ${charged} for what cost ${due}`);
    }
    for (const [{ priority, cost }, due] of this.#dueOfBands) {
      assert.ok(isNear(cost, due), `band ${priority} counts ${cost} for what cost ${due}`);
    }
  }

  #dispatched({ request, band: priority }: FlowEvent & { kind: 'dispatched' }, bands: Bands): void {
    const band = bands.get(priority)!;
    const flow = band.flows.get(request.fairnessId)!;
    const charges = this.#charges;
    this.#charges = [];
    for (const account of [flow, band.contender]) {
      const costs = charges.filter((charge) => charge.account === account).map(({ cost }) => cost);
      assert.ok(costs.length === 1 && costs[0]! >= 1, `${request.id} was charged ${costs.join(' and ') || 'nothing'}`);
    }
    assert.equal(charges.length, 2, `${request.id} was charged to somebody else`);
    this.#account(flow, `flow ${request.fairnessId} of band ${priority}`);
    this.#account(band.contender, `band ${priority}`);
    this.#open.set(request.id, { flow, band, policies: band.policies, selections: this.#selections, streamed: 0 });
  }

  #over(id: string, cost: number): void {
    const { flow, band, policies, selections } = this.#open.get(id)!;
    this.#open.delete(id);
    const [ofFlow, ofBand] = [this.#account(flow), this.#account(band.contender)];
    ofFlow.due += cost;
    ofBand.due += cost;
    if (band.policies !== policies) ofFlow.isLost = true;
    if (this.#selections !== selections) ofBand.isLost = true;
    this.#dueOfBands.set(band, (this.#dueOfBands.get(band) ?? 0) + cost);
  }

  #charge(account: object, cost: number): void {
    this.#charges.push({ account, cost });
    this.#account(account).charged += cost;
  }

  #account(of: object, name?: string): Account {
    let account = this.#accounts.get(of);
    if (account === undefined || (account.name === '' && name !== undefined)) {
      account = { charged: 0, due: 0, isLost: false, ...account, name: name ?? '' };
      this.#accounts.set(of, account);
    }
    return account;
  }
}

/** Sums of fractions go astray. */
function isNear(one: number, other: number): boolean {
  return Math.abs(one - other) <= 1e-6 * Math.max(1, Math.abs(other));
}
