// SPDX-License-Identifier: Apache-2.0

/**
 * Which flow is next? The program that has had least of the servers lately, with some regard for how long its request
 * waits. Choose it for agents and pipelines, where short programs should not wait behind long ones: what a program was
 * served counts half after a minute. As the reference's plugin of this name: of the flows with waiting requests the one
 * with the highest lasWeightService × (1 − norm(service)) + lasWeightHeadWait × norm(wait of its head), where norm is the
 * place between the least and the most of them.
 *
 * Service is what requests cost (`flowControl.costModel`), estimated when they go and settled when they end, and divided by
 * the flow's weight; the reference counts when they end. It is kept with the flow and forgotten with it, so that a request
 * that is abandoned leaves nothing behind; `evictionTtlSeconds` and `evictionSweepSeconds` have nothing to do.
 *
 * Bound: none; who has had much waits for as long as others come who had little. Least and most are taken anew for every
 * pick among up to thirty-two flows, and among more of them whenever as many changes have been; so a change, with the pick
 * behind it, is O(log flows) on average, where a scan of all would cost each dispatch as much as there are flows.
 */

import { IndexedHeap } from '../../flow-control/indexed-heap.ts';
import type { BandContext, FairnessPolicy, Member } from '../../flow-control/policies.ts';
import { definePlugin } from '../../plugin-registry/plugin.ts';

/** So many flows are looked at anew for every pick. */
const FEW = 32;
/** Then everything is reckoned from then on: numbers end somewhere. */
const MOST_HALF_LIVES = 100;

interface Weights {
  readonly service: number;
  readonly headWait: number;
}

/** A flow's side. */
class Program {
  /** As of `atMs`, which may be before it was served: then it is more by what will have been forgotten. */
  service = 0;
  atMs = 0;
  enqueuedMs = 0;
  /** Less goes first. */
  key = 0;
  turn = 0;
  slot = -1;
  member: Member<Program> | undefined;
  heap: Programs | undefined;
}

/**
 * How a band forgets, and its lots with it: what was served stays as it is, and what is served later counts for more. All
 * service is as of `sinceMs`.
 */
class Forgetting {
  sinceMs = 0;
  readonly #halfLifeMs: number;
  #nowMs = 0;
  #growth = 1;

  /** `halfLifeMs` 0: nothing is forgotten. */
  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  /** What service is worth that is given now: powers are dear, and this one is the same for a while. */
  growth(nowMs: number): number {
    if (nowMs !== this.#nowMs && this.#halfLifeMs > 0) {
      if (nowMs - this.sinceMs > MOST_HALF_LIVES * this.#halfLifeMs) this.sinceMs = nowMs;
      this.#growth = 2 ** ((nowMs - this.sinceMs) / this.#halfLifeMs);
    }
    this.#nowMs = nowMs;
    return this.#growth;
  }

  serviceOf(program: Program): number {
    if (program.atMs !== this.sinceMs) {
      if (program.service > 0) program.service *= 2 ** ((program.atMs - this.sinceMs) / this.#halfLifeMs);
      program.atMs = this.sinceMs;
    }
    return program.service;
  }
}

class Programs extends IndexedHeap<Program> {
  readonly forgetting: Forgetting;
  readonly #context: BandContext;
  readonly #weights: Weights;
  /** What a unit of service, and a millisecond of arrival, are to the key; as of `#keyedMs`. */
  #perService = 0;
  #perMs = 0;
  #keyedMs = 0;
  #changes = 0;
  #turns = 0;

  constructor(context: BandContext, weights: Weights, forgetting: Forgetting) {
    super();
    this.#context = context;
    this.#weights = weights;
    this.forgetting = forgetting;
  }

  protected override before(a: Program, b: Program): boolean {
    return a.key === b.key ? a.turn < b.turn : a.key < b.key;
  }
  protected override slotOf(program: Program): number {
    return program.slot;
  }
  protected override setSlot(program: Program, slot: number): void {
    program.slot = slot;
  }

  enter(program: Program, member: Member<Program>): void {
    program.member = member;
    program.heap = this;
    program.enqueuedMs = member.head.enqueuedMs;
    this.#turns += 1;
    program.turn = this.#turns;
    program.key = this.#keyOf(program);
    this.push(program);
    this.#changed(this.size === FEW + 1);
  }

  leave(program: Program): void {
    this.remove(program);
    program.heap = undefined;
    this.#changed();
  }

  /** Its service or its head is another. */
  update(program: Program): void {
    program.key = this.#keyOf(program);
    this.moved(program);
    this.#changed();
  }

  /** The program to serve next. */
  get next(): Program | undefined {
    if (this.#isStale || (this.#changes > 0 && this.size <= FEW)) this.#measure();
    return this.peek();
  }

  /** Adds to a program's service what it was served, or gives back what it was not. */
  serve(program: Program, cost: number): void {
    const worth = cost * this.forgetting.growth(Math.floor(this.#context.now()));
    program.service = Math.max(0, this.forgetting.serviceOf(program) + worth);
  }

  /** Keys are as of another time than service. */
  get #isStale(): boolean {
    return this.#keyedMs !== this.forgetting.sinceMs;
  }

  #keyOf(program: Program): number {
    return this.#perService * this.forgetting.serviceOf(program) + this.#perMs * (program.enqueuedMs - this.#keyedMs);
  }

  /** Measures anew when there are many by now, or have been many changes among many: who asks changes nothing. */
  #changed(areManyNow = false): void {
    this.#changes += 1;
    if (this.#isStale || areManyNow || (this.size > FEW && this.#changes >= this.size)) this.#measure();
  }

  /** Least and most of service and waits, and every key by them. */
  #measure(): void {
    this.#changes = 0;
    this.#keyedMs = this.forgetting.sinceMs;
    const programs = this.values();
    let [leastService, mostService, firstMs, lastMs] = [Infinity, 0, Infinity, -Infinity];
    for (const program of programs) {
      const service = this.forgetting.serviceOf(program);
      leastService = Math.min(leastService, service);
      mostService = Math.max(mostService, service);
      firstMs = Math.min(firstMs, program.enqueuedMs);
      lastMs = Math.max(lastMs, program.enqueuedMs);
    }
    const { service, headWait } = this.#weights;
    this.#perService = mostService > leastService ? service / (mostService - leastService) : 0;
    this.#perMs = lastMs > firstMs ? headWait / (lastMs - firstMs) : 0;
    for (const program of programs) program.key = this.#keyOf(program);
    this.rebuild();
  }
}

class ProgramAware implements FairnessPolicy<Programs, Program> {
  readonly type: string;
  readonly name: string;
  readonly #weights: Weights;
  readonly #halfLifeMs: number;

  constructor(type: string, name: string, { halfLifeMs, ...weights }: Weights & { readonly halfLifeMs: number }) {
    this.type = type;
    this.name = name;
    this.#weights = weights;
    this.#halfLifeMs = halfLifeMs;
  }

  newState(context: BandContext, band?: Programs): Programs {
    return new Programs(context, this.#weights, band?.forgetting ?? new Forgetting(this.#halfLifeMs));
  }

  newMemberState(): Program {
    return new Program();
  }

  ready(programs: Programs, member: Member<Program>): void {
    programs.enter(member.state, member);
  }

  unready(programs: Programs, member: Member<Program>): void {
    programs.leave(member.state);
  }

  headChanged(programs: Programs, member: Member<Program>): void {
    member.state.enqueuedMs = member.head.enqueuedMs;
    programs.update(member.state);
  }

  pick(programs: Programs): Member<Program> | undefined {
    return programs.next?.member;
  }

  charge(programs: Programs, member: Member<Program>, cost: number): void {
    programs.serve(member.state, cost / member.weight);
    member.state.heap?.update(member.state);
  }

  settle(programs: Programs, member: Member<Program>, delta: number): void {
    programs.serve(member.state, delta / member.weight);
    member.state.heap?.update(member.state);
  }
}

const seconds = { type: 'number', min: 0, max: 1e9 } as const;

export const programAwareFairness = definePlugin({
  type: 'program-aware-fairness',
  kinds: ['fairness'],
  stability: 'beta',
  summary: 'Serves the flow that was served least lately, with some regard for how long its request waits.',
  parameters: {
    strategy: { type: 'string', choices: ['las'], default: 'las', doc: 'Least attained service; there is no other.' },
    lasWeightService: { type: 'number', min: 0, max: 1e6, default: 0.8, doc: 'How much little service counts.' },
    lasWeightHeadWait: { type: 'number', min: 0, max: 1e6, default: 0.2, doc: 'How much a long wait counts.' },
    lasHalfLifeSeconds: { ...seconds, default: 60, doc: 'After so long service counts half; `0` for never.' },
    evictionTtlSeconds: { ...seconds, default: 3600, doc: 'Without effect: service is forgotten with its flow.' },
    evictionSweepSeconds: { ...seconds, default: 300, doc: 'Without effect.' },
  },
  create: ({ type, name, parameters: { lasWeightService, lasWeightHeadWait, lasHalfLifeSeconds } }) =>
    new ProgramAware(type, name, {
      service: lasWeightService,
      headWait: lasWeightHeadWait,
      halfLifeMs: lasHalfLifeSeconds * 1000,
    }),
});
