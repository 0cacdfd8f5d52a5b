// SPDX-License-Identifier: Apache-2.0

/**
 * A band with flows in it as far as a fairness policy can tell: it does to the policy what the controller does, in the
 * same order, step by step from a script, and remembers in plain sets what the policy ought to know.
 */

import { compareWaiting } from '../flow-control/waiting-request.ts';
import type { FairnessPolicy, Member, Waiting } from '../flow-control/policies.ts';
import type { InferenceRequest } from '../request/inference-request.ts';

/** What may happen to flow number `flow`; what makes no sense for it at the moment does nothing. */
export type FairnessStep =
  /** A request arrives at an empty flow, or there is room again for a parked one. */
  | { readonly act: 'ready'; readonly flow: number; readonly rank: number }
  /** It is empty or at its cap; `forget`: it is gone, and a later flow of that number is a new one. */
  | { readonly act: 'unready' | 'forget'; readonly flow: number }
  /** It waits for room, in a state of its own, until it is ready again. */
  | { readonly act: 'park'; readonly flow: number }
  | { readonly act: 'head'; readonly flow: number; readonly rank: number }
  /** It is served though nobody asked whose turn it is, as all are while the controller bypasses. */
  | { readonly act: 'bypass'; readonly flow: number; readonly rank: number }
  /** Whose turn it is gets served, and has another request or, with `last`, none. */
  | { readonly act: 'serve'; readonly rank: number; readonly last: boolean };

/** Every act, for those who make scripts; a step with all fields fits any of them. */
export const FAIRNESS_ACTS = ['ready', 'unready', 'forget', 'park', 'head', 'bypass', 'serve'] as const;

class Flow implements Member {
  readonly id: string;
  readonly weight: number;
  readonly state: unknown;
  waiting: Waiting | undefined;
  spell = 0;

  constructor(input: { readonly id: string; readonly weight: number; readonly state: unknown }) {
    this.id = input.id;
    this.weight = input.weight;
    this.state = input.state;
  }

  get head(): Waiting {
    if (this.waiting === undefined) throw new Error(`flow ${this.id} was asked for its head but holds nothing`);
    return this.waiting;
  }
}

export class FairnessStand {
  readonly ready = new Set<Member>();
  readonly #policy: FairnessPolicy;
  readonly #band: unknown;
  readonly #lot: unknown;
  readonly #parked = new Set<Member>();
  readonly #flows = new Map<number, Flow>();
  readonly #weights: readonly number[];
  #sequence = 0;

  /** `weights` by flow number; 1 for flows beyond it. */
  constructor(policy: FairnessPolicy, weights: readonly number[] = []) {
    this.#policy = policy;
    this.#weights = weights;
    const context = { compareHeads: compareWaiting, now: () => this.#sequence };
    this.#band = policy.newState(context);
    this.#lot = policy.newState(context, this.#band);
  }

  /** Whose turn it is; asked twice, because asking may change nothing. @throws Error when the answer cannot be right. */
  pick(): Member | undefined {
    const picked = this.#policy.pick(this.#band);
    const again = this.#policy.pick(this.#band);
    if (picked !== again) throw new Error(`pick said ${picked?.id} and then ${again?.id} with nothing in between`);
    if (picked === undefined && this.ready.size > 0)
      throw new Error(`pick found none of ${this.ready.size} ready flows`);
    if (picked !== undefined && !this.ready.has(picked)) throw new Error(`pick chose ${picked.id}, which is not ready`);
    return picked;
  }

  /** Number of the parked flow whose turn it is. */
  nextParked(): number | undefined {
    const picked = this.#policy.pick(this.#lot);
    return picked && Number(picked.id.slice('flow-'.length));
  }

  /** What the flow was charged is off by so much; it may be gone. */
  settle(flow: Member, delta: number): void {
    this.#policy.settle?.(this.#band, flow, delta);
  }

  /** Carries out a step; returns the flow it served. */
  apply(step: FairnessStep): Member | undefined {
    if (step.act === 'serve') return this.#serve(step);
    const flow = this.#flow(step.flow);
    if (step.act === 'ready') this.#makeReady(flow, step.rank);
    else if (step.act === 'head') this.#newHead(flow, step.rank);
    else if (step.act === 'bypass') this.#bypass(flow, step.rank);
    else this.#takeAway(flow, step.act === 'park');
    if (step.act === 'forget') this.#flows.delete(step.flow);
    return undefined;
  }

  #serve(step: { readonly rank: number; readonly last: boolean }): Member | undefined {
    const flow = this.pick() as Flow | undefined;
    if (flow === undefined) return undefined;
    this.#policy.charge?.(this.#band, flow, 1);
    if (step.last) this.#takeAway(flow, false);
    else this.#newHead(flow, step.rank);
    return flow;
  }

  #bypass(flow: Flow, rank: number): void {
    if (flow.waiting === undefined) return;
    this.#policy.charge?.(this.#band, flow, 1);
    this.#newHead(flow, rank);
  }

  #makeReady(flow: Flow, rank: number): void {
    if (this.ready.has(flow)) return;
    if (this.#parked.delete(flow)) this.#policy.unready(this.#lot, flow);
    else flow.spell += 1;
    flow.waiting ??= this.#request(rank);
    this.ready.add(flow);
    this.#policy.ready(this.#band, flow);
  }

  #newHead(flow: Flow, rank: number): void {
    if (flow.waiting === undefined) return;
    flow.waiting = this.#request(rank);
    if (this.ready.has(flow)) this.#policy.headChanged?.(this.#band, flow);
    else if (this.#parked.has(flow)) this.#policy.headChanged?.(this.#lot, flow);
  }

  /** The queue is empty by the time the policy is told so. */
  #takeAway(flow: Flow, park: boolean): void {
    if (!park) flow.waiting = undefined;
    if (this.#parked.has(flow) && !park) {
      this.#parked.delete(flow);
      this.#policy.unready(this.#lot, flow);
    }
    if (!this.ready.delete(flow)) return;
    this.#policy.unready(this.#band, flow);
    if (!park) return;
    this.#parked.add(flow);
    this.#policy.ready(this.#lot, flow);
  }

  #flow(number: number): Flow {
    let flow = this.#flows.get(number);
    if (flow === undefined) {
      const weight = this.#weights[number] ?? 1;
      flow = new Flow({ id: `flow-${number}`, weight, state: this.#policy.newMemberState() });
      this.#flows.set(number, flow);
    }
    return flow;
  }

  #request(rank: number): Waiting {
    const sequence = this.#sequence;
    this.#sequence += 1;
    return { request: REQUEST, enqueuedMs: sequence, expiresMs: Infinity, rank, sequence };
  }
}

const REQUEST: InferenceRequest = {
  id: 'request',
  fairnessId: 'flow',
  priority: 0,
  model: 'model',
  targetModel: 'model',
  sizeBytes: 100,
  sequences: 1,
  receivedMs: 0,
};
