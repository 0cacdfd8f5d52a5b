// SPDX-License-Identifier: Apache-2.0

/**
 * Who is charged what: an estimate when a request is dispatched, more when it streams beyond that, and the difference to
 * what it really cost when its permit ends, however it ends. The charge goes to the flow in its band, which hands it to
 * whatever fairness policy it has by then.
 */

import { CostHistory, CostModel, type CostEstimate, type CostWeights } from '../request/cost-model.ts';
import type { Usage } from '../request/inference-request.ts';
import type { Ending } from '../request/permit.ts';
import type { BandCharge } from './band-selection.ts';
import type { Queued } from './waitlist.ts';

/** Tokens streamed beyond what is charged before they are charged: each by itself would cost more than it tells. */
const CHARGED_AT_ONCE_TOKENS = 32;

/** What requests cost now. */
export class CostAccounts {
  model: CostModel;

  constructor(weights: CostWeights | undefined) {
    this.model = new CostModel(weights);
  }

  /** Other prices from now on: for what is in flight, at its end. */
  reconfigure(weights: CostWeights | undefined): void {
    this.model = new CostModel(weights);
  }

  /** The request is dispatched. */
  charge(waiting: Queued): Charge {
    return new Charge(this, waiting);
  }
}

/** What a request in flight was charged so far, and the estimate that it was charged first. */
export class Charge implements CostEstimate {
  readonly #accounts: CostAccounts;
  readonly #waiting: Queued;
  readonly cost: number;
  readonly inputCost: number;
  readonly outputTokens: number;
  /** `policies` of its band at its dispatch. */
  readonly policies: number;
  /** What its band was charged at tier 1. */
  readonly bandCharge: BandCharge | undefined;
  #charged: number;
  /** Tokens of its answer that were seen; undefined while nobody watches. */
  streamedTokens: number | undefined = undefined;
  /** How many of them are charged. */
  #chargedTokens: number;

  constructor(accounts: CostAccounts, waiting: Queued) {
    const { flow, request } = waiting;
    const { cost, inputCost, outputTokens } = accounts.model.estimate(request, flow.costs);
    this.#accounts = accounts;
    this.#waiting = waiting;
    this.cost = cost;
    this.inputCost = inputCost;
    this.outputTokens = outputTokens;
    this.policies = flow.band.policies;
    this.#charged = cost;
    this.#chargedTokens = outputTokens;
    this.bandCharge = flow.band.charge(flow, cost);
  }

  /** So many tokens of the answer have passed. */
  streamed(tokens: number): void {
    this.streamedTokens = tokens;
    if (tokens < this.#chargedTokens + CHARGED_AT_ONCE_TOKENS) return;
    this.#chargedTokens = tokens;
    this.#settle(this.#accounts.model.soFar(this, tokens));
  }

  end(ending: Ending, usage: Usage | undefined): void {
    const { model } = this.#accounts;
    const { flow, request } = this.#waiting;
    const facts = { estimate: this, ending, usage, streamedTokens: this.streamedTokens };
    this.#settle(model.actual(request, facts));
    if (usage !== undefined) model.learn((flow.costs ??= new CostHistory()), request, facts);
  }

  /** It never went. */
  giveBack(): void {
    this.#settle(0);
  }

  #settle(cost: number): void {
    const delta = cost - this.#charged;
    if (delta === 0) return;
    this.#charged = cost;
    const { flow } = this.#waiting;
    flow.band.settle(flow, delta, this);
  }

  /** How much more than at its dispatch it was charged by now. */
  get error(): number {
    return this.#charged - this.cost;
  }
}
