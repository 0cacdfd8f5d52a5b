// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? Each in its turn. Choose it when tenants shall get equal numbers of dispatches however much each
 * of them sends: one that floods then only waits behind itself. It counts dispatches, not tokens.
 *
 * Time is divided into rounds, and a flow is served at most once a round. The ready flows stand in two rings: those
 * still to be served in this round and, behind them, those already served. A flow that comes back within the round in
 * which it was served joins the second ring, all others the end of the first; so going away and coming back, which
 * parking does to flows all the time, wins nothing and loses no turn. When the first ring is empty the second takes its
 * place, in the order in which it was served. The visiting order is therefore that of becoming ready, where the
 * reference visits flows sorted by id.
 *
 * Bound: between two services of a flow that stays ready, every other flow is served at most once. All operations are
 * O(1), because the links of the rings are in the members' own state.
 */

import type { FairnessPolicy, Member } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

/** A member's place in a ring; a ring's own node is the one without a member. */
export class Turn {
  before: Turn = this;
  after: Turn = this;
  member: Member<Turn> | undefined;
  /** The rounds it stands in; undefined while it is not ready. */
  rounds: Rounds | undefined;
  /** The round of its band in which it was last served; 0 before that. */
  servedRound = 0;
}

/** A band's rounds. */
export class Rounds {
  /** Ready and still to be served in this round, the next one first. */
  toServe = new Turn();
  /** Ready and served in this round, in the order in which that happened. */
  served = new Turn();
  /** Starts at 1 with the first service, so that a state in which nobody is ever served is a plain first come, first served. */
  round = 0;

  add(turn: Turn): void {
    turn.rounds = this;
    link(turn, turn.servedRound === this.round && this.round > 0 ? this.served : this.toServe);
  }

  remove(turn: Turn): void {
    turn.rounds = undefined;
    unlink(turn);
  }

  /** Who is next: its ring's node when nobody is. */
  get next(): Turn {
    return isEmpty(this.toServe) ? this.served.after : this.toServe.after;
  }

  serve(turn: Turn): void {
    if (this.round === 0) this.round = 1;
    else if (isEmpty(this.toServe) && turn.servedRound === this.round) this.#nextRound();
    turn.servedRound = this.round;
    // While it is parked it stands in another state of this policy, where its turn is not now.
    if (turn.rounds !== this) return;
    unlink(turn);
    link(turn, this.served);
  }

  #nextRound(): void {
    this.round += 1;
    const { toServe } = this;
    this.toServe = this.served;
    this.served = toServe;
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
    return rounds.next.member;
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
