// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? The one that has been served the fewest tokens by its weight. Choose it when tenants share a fleet
 * and each shall get its part of what the fleet sells, whatever its requests look like: ten long answers count as much as
 * a hundred short ones. Nobody's speed has to be known, and a fleet that is slow now and fast later changes nothing.
 *
 * The Virtual Token Counter (Sheng et al., Fairness in Serving Large Language Models, OSDI 2024), which for whole
 * requests is weighted Start-time Fair Queuing (Goyal, Vin and Cheng, SIGCOMM 1996): charged with an estimate when a
 * request goes, corrected as it streams and when it ends; a flow that comes back from having asked for nothing is lifted
 * to where the others are.
 *
 * Bound: two flows that stay backlogged are served, in cost ÷ weight, within 2 × (c + 3 × K × e) of each other, where c is
 * the largest estimated cost ÷ weight of a request, e the largest error of an estimate ÷ weight and K the most requests
 * that a flow has in flight. `pick` is O(1), a change O(log flows).
 */

import { IndexedHeap } from '../../flow-control/indexed-heap.ts';
import type { BandContext, FairnessPolicy, LagFacts, Member } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import { VirtualService, VirtualTime } from './virtual-service.ts';

/** A member's counter and its place in a heap. */
class Counter extends VirtualService {
  heap: Counters | undefined;
  slot = -1;
  /** Which of two that are level became ready first. */
  turn = 0;
  member: Member<Counter> | undefined;
}

class Counters extends IndexedHeap<Counter> {
  readonly time: VirtualTime;
  /** Weight of all that stand here. */
  weight = 0;
  #turns = 0;

  readonly #isLot: boolean;

  constructor(band: Counters | undefined) {
    super();
    this.time = band?.time ?? new VirtualTime();
    this.#isLot = band !== undefined;
  }

  protected override before(a: Counter, b: Counter): boolean {
    return a.at === b.at ? a.turn < b.turn : a.at < b.at;
  }
  protected override slotOf(counter: Counter): number {
    return counter.slot;
  }
  protected override setSlot(counter: Counter, slot: number): void {
    counter.slot = slot;
  }

  enter(counter: Counter, { spell, weight }: Member): void {
    const least = this.peek()?.at;
    if (this.#isLot) counter.park(this.time, least);
    else counter.join(spell, this.time, least);
    this.toEnd(counter);
    this.push(counter);
    this.weight += weight;
  }

  /** Behind all that are level with it. */
  toEnd(counter: Counter): void {
    this.#turns += 1;
    counter.turn = this.#turns;
  }
}

class VirtualTokenCounter implements FairnessPolicy<Counters, Counter> {
  readonly type: string;
  readonly name: string;

  constructor(type: string, name: string) {
    this.type = type;
    this.name = name;
  }

  newState(_: BandContext, band?: Counters): Counters {
    return new Counters(band);
  }

  newMemberState(): Counter {
    return new Counter();
  }

  ready(counters: Counters, member: Member<Counter>): void {
    const counter = member.state;
    counter.member = member;
    counter.heap = counters;
    counters.enter(counter, member);
  }

  unready(counters: Counters, member: Member<Counter>): void {
    counters.remove(member.state);
    member.state.heap = undefined;
    // Sums of fractions go astray, and begin anew with every silence.
    counters.weight = counters.size === 0 ? 0 : counters.weight - member.weight;
  }

  pick(counters: Counters): Member<Counter> | undefined {
    return counters.peek()?.member;
  }

  charge(counters: Counters, member: Member<Counter>, cost: number): void {
    const counter = member.state;
    const by = cost / member.weight;
    if (counters.peek() === counter) counters.time.served(counter.at, by, member.weight / counters.weight);
    counter.charge(by);
    counter.heap?.toEnd(counter);
    counter.heap?.moved(counter);
  }

  settle(_: Counters, member: Member<Counter>, delta: number): void {
    const counter = member.state;
    counter.settle(delta / member.weight);
    counter.heap?.moved(counter);
  }

  lagBound({ largestCost, largestError, mostInFlight }: LagFacts): number {
    return 2 * (largestCost + 3 * mostInFlight * largestError);
  }
}

export const virtualTokenCounterFairnessPolicy = definePlugin({
  type: 'virtual-token-counter-fairness-policy',
  kinds: ['fairness'],
  stability: 'beta',
  summary: 'Serves the flow that has been served the fewest tokens by its weight.',
  parameters: {},
  create: ({ type, name }) => new VirtualTokenCounter(type, name),
});
