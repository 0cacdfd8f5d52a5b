// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? Each in its turn, but a turn is worth tokens: a flow that was served more than its share in one
 * round is passed over until its share has made up for it. Choose it when flows are many and a round's worth of
 * difference between them does not matter; the cost of a dispatch does not grow with their number at all.
 *
 * After Shreedhar and Varghese, Efficient Fair Queuing using Deficit Round Robin (SIGCOMM 1995), in the form that may
 * overdraw (Surplus Round Robin): a request's cost need not be known before it goes, and what it proves to have cost is
 * added or given back later. A flow's rounds are counted as its cost ÷ (quantum × weight), so that no round has to be
 * walked in which nobody has anything left.
 *
 * Bound: two flows that stay backlogged are served, in cost ÷ weight, within 2 × (quantum + c + 3 × K × e) of each other,
 * where c is the largest estimated cost ÷ weight of a request, e the largest error of an estimate ÷ weight and K the most
 * requests that a flow has in flight. Every operation is O(1).
 */

import type { BandContext, FairnessPolicy, LagFacts, Member } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';
import { Place, RoundCalendar } from './round-calendar.ts';
import { VirtualService, VirtualTime } from './virtual-service.ts';

class Turn extends Place {
  member: Member<Turn> | undefined;
  readonly service = new VirtualService();
}

/** A band's rounds. */
class Rounds extends RoundCalendar {
  readonly quantum: number;
  readonly time: VirtualTime;
  /** Weight of all that stand here. */
  weight = 0;

  readonly #isLot: boolean;

  constructor(quantum: number, band: Rounds | undefined) {
    super();
    this.quantum = quantum;
    this.time = band?.time ?? new VirtualTime();
    this.#isLot = band !== undefined;
  }

  join(turn: Turn, { spell, weight }: Member): void {
    if (this.#isLot) turn.service.park(this.time, this.least);
    else turn.service.join(spell, this.time, this.least);
    turn.round = this.roundOf(turn);
    this.enter(turn);
    this.weight += weight;
  }

  /** Where its earliest round begins, when there is anybody. */
  get least(): number | undefined {
    return this.isEmpty ? undefined : this.round * this.quantum;
  }

  roundOf({ service }: Turn): number {
    return Math.floor(service.at / this.quantum);
  }
}

class DeficitRoundRobin implements FairnessPolicy<Rounds, Turn> {
  readonly type: string;
  readonly name: string;
  readonly #quantum: number;

  constructor(type: string, name: string, quantum: number) {
    this.type = type;
    this.name = name;
    this.#quantum = quantum;
  }

  newState(_: BandContext, band?: Rounds): Rounds {
    return new Rounds(this.#quantum, band);
  }

  newMemberState(): Turn {
    return new Turn();
  }

  ready(rounds: Rounds, member: Member<Turn>): void {
    const turn = member.state;
    turn.member = member;
    rounds.join(turn, member);
  }

  unready(rounds: Rounds, member: Member<Turn>): void {
    rounds.leave(member.state);
    // Sums of fractions go astray, and begin anew with every silence.
    rounds.weight = rounds.isEmpty ? 0 : rounds.weight - member.weight;
  }

  pick(rounds: Rounds): Member<Turn> | undefined {
    return (rounds.next as Turn | undefined)?.member;
  }

  charge(rounds: Rounds, member: Member<Turn>, cost: number): void {
    const turn = member.state;
    const by = cost / member.weight;
    if (rounds.next === turn) rounds.time.served(turn.service.at, by, member.weight / rounds.weight);
    turn.service.charge(by);
    turn.round = rounds.roundOf(turn);
    turn.calendar?.move(turn);
  }

  settle(rounds: Rounds, member: Member<Turn>, delta: number): void {
    const turn = member.state;
    turn.service.settle(delta / member.weight);
    const round = rounds.roundOf(turn);
    if (round === turn.round) return;
    turn.round = round;
    turn.calendar?.move(turn);
  }

  lagBound({ largestCost, largestError, mostInFlight }: LagFacts): number {
    return 2 * (this.#quantum + largestCost + 3 * mostInFlight * largestError);
  }
}

export const deficitRoundRobinFairnessPolicy = definePlugin({
  type: 'deficit-round-robin-fairness-policy',
  kinds: ['fairness'],
  stability: 'beta',
  summary:
    'Serves the flows of a band in rounds in which each gets the same cost, by weight, whatever its requests are.',
  parameters: {
    quantum: {
      type: 'integer',
      min: 1,
      max: 10_000_000,
      default: 1024,
      doc: 'Cost that a flow of weight 1 is served a round, in units of an input token.',
    },
  },
  create: ({ type, name, parameters: { quantum } }) => new DeficitRoundRobin(type, name, quantum),
});
