// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? Each in its turn. Choose it when tenants shall get equal numbers of dispatches however much each
 * of them sends: one that floods then only waits behind itself. It counts dispatches, not tokens.
 *
 * Time is divided into rounds, and a flow is served at most once a round. The ready flows stand in two rings: those
 * still to be served in this round and, behind them, those for whom it is over. A flow that was away for longer than a
 * round is a guest: it may still join this round, because a tenant that asks for little should not wait behind one that
 * asks for everything, but a round takes no more guests than it has served others, so that no number of new flows can
 * hold it up; further guests join the next. A flow that stood in this round or the last and was away in between, as
 * parking does to flows all the time, is put where it belongs: at the end of the first ring when it has not been served
 * in this round, of the second when it has. So going away wins nothing and loses no turn. When the first ring is empty
 * the second takes its place. The visiting order is therefore that of becoming ready, where the reference visits flows
 * sorted by id.
 *
 * Bound: between two services of a flow that stays ready, every other flow is served at most once, and new flows at most
 * as often as old ones. All operations are O(1), because the links of the rings are in the members' own state.
 */

import type { FairnessPolicy, Member } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

/** A member's place in a ring; a ring's own node is the one without a member. */
class Turn {
  before: Turn = this;
  after: Turn = this;
  member: Member<Turn> | undefined;
  /** The rounds it stands in; undefined while it is not ready. */
  rounds: Rounds | undefined;
  /** The round of its band in which it was last served; 0 before that. */
  servedRound = 0;
  /** The last round of its band in which it stood; -1 before that. */
  seenRound = -1;
  /** The round of its band that it joined as a guest; -1 before that. */
  guestRound = -1;
}

/** A band's rounds. */
class Rounds {
  #toServe = new Turn();
  #over = new Turn();
  /** Starts at 1 with the first service: a state in which nobody is ever served is plain first come, first served. */
  #round = 0;
  /** Guests in this round, and others served in it. */
  #guests = 0;
  #served = 0;

  add(turn: Turn): void {
    turn.rounds = this;
    link(turn, this.#round === 0 || this.#isDue(turn) ? this.#toServe : this.#over);
  }

  remove(turn: Turn): void {
    turn.rounds = undefined;
    // Flows that are parked stand in a state of their own, whose rounds never begin and must not count here.
    turn.seenRound = Math.max(turn.seenRound, this.#round);
    unlink(turn);
  }

  get next(): Member<Turn> | undefined {
    // An empty ring is followed by its own node, which has no member.
    return (isEmpty(this.#toServe) ? this.#over : this.#toServe).after.member;
  }

  serve(turn: Turn): void {
    const isHere = turn.rounds === this;
    if (this.#round === 0) this.#round = 1;
    else if (isHere && isEmpty(this.#toServe)) this.#nextRound();
    turn.servedRound = this.#round;
    if (turn.guestRound !== this.#round) this.#served += 1;
    if (!isHere) return;
    unlink(turn);
    link(turn, this.#over);
  }

  /** Whether it is still to be served in this round. */
  #isDue(turn: Turn): boolean {
    if (turn.servedRound === this.#round) return false;
    if (turn.seenRound >= this.#round - 1) return true;
    if (this.#guests >= this.#served) return false;
    this.#guests += 1;
    turn.guestRound = this.#round;
    return true;
  }

  #nextRound(): void {
    this.#round += 1;
    this.#guests = 0;
    this.#served = 0;
    const toServe = this.#toServe;
    this.#toServe = this.#over;
    this.#over = toServe;
  }
}

/** Puts a turn at the end of a ring. */
function link(turn: Turn, ring: Turn): void {
  const last = ring.before;
  turn.before = last;
  turn.after = ring;
  last.after = turn;
  ring.before = turn;
}

function unlink(turn: Turn): void {
  turn.before.after = turn.after;
  turn.after.before = turn.before;
  turn.before = turn;
  turn.after = turn;
}

function isEmpty(ring: Turn): boolean {
  return ring.after === ring;
}

class RoundRobin implements FairnessPolicy<Rounds, Turn> {
  readonly type: string;
  readonly name: string;

  constructor(type: string, name: string) {
    this.type = type;
    this.name = name;
  }

  newState(): Rounds {
    return new Rounds();
  }

  newMemberState(): Turn {
    return new Turn();
  }

  ready(rounds: Rounds, member: Member<Turn>): void {
    member.state.member = member;
    rounds.add(member.state);
  }

  unready(rounds: Rounds, member: Member<Turn>): void {
    rounds.remove(member.state);
  }

  pick(rounds: Rounds): Member<Turn> | undefined {
    return rounds.next;
  }

  charge(rounds: Rounds, member: Member<Turn>): void {
    rounds.serve(member.state);
  }
}

export const roundRobinFairnessPolicy = definePlugin({
  type: 'round-robin-fairness-policy',
  kinds: ['fairness'],
  stability: 'beta',
  summary:
    'Serves the flows of a band in turn, one request each, so that equal tenants get equal numbers of dispatches.',
  parameters: {},
  create: ({ type, name }) => new RoundRobin(type, name),
});
