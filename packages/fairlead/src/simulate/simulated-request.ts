// SPDX-License-Identifier: Apache-2.0

/** One request of a simulated client, and what became of it: it takes its own answer, and leaves when it is tired. */

import type { Alarm, Clock, Usage } from '@fairlead/core';
import type { PromptBlocks } from '@fairlead/core/testing';
import type { Director } from '../director/director.ts';
import type { Journey } from '../director/journey.ts';
import type { Answer } from '../director/ports.ts';
import type { Problem } from '../director/problem.ts';
import { NO_HEADERS } from '../sockets/header-block.ts';
import type { HeaderBlock } from '../sockets/header-block.ts';
import type { Identity } from '../tenancy/identity.ts';
import { blocksOf, BYTES_PER_TOKEN, prefixOf } from './prompt-contents.ts';
import type { PromptContents } from './prompt-contents.ts';
import { MODEL } from './simulated-fleet.ts';
import type { ServerWork } from './simulated-fleet.ts';

export interface RequestPlan {
  readonly id: string;
  readonly identity: Identity;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly contents: PromptContents;
  readonly saysMaxTokens: boolean;
  readonly givesUpAfterMs: number | undefined;
}

/** How it ended. */
export type Fate = 'answered' | 'refused' | 'broken' | 'gave-up';

export class SimulatedRequest implements Answer, ServerWork {
  readonly plan: RequestPlan;
  /** Stands for its body: who has it knows the request. */
  readonly body: readonly Uint8Array[] = [];
  readonly receivedMs: number;
  /** Undefined while it is under way. */
  fate: Fate | undefined;
  /** How long it waited for its turn; undefined while it has had none. */
  waitMs: number | undefined;
  ttftMs: number | undefined;
  problem: Problem | undefined;
  /** Tokens of its answer so far: as many events of its stream. */
  events = 0;
  /** Of its prompt, as its server tells with its first token. */
  cachedTokens = 0;
  #hasUsage = false;
  /** It was asked while things were counted. */
  isCounted = false;
  /** What is counted of its cost; undefined while it was not dispatched while things were counted. */
  servedCost: number | undefined;
  readonly #clock: Clock;
  readonly #onOver: (request: SimulatedRequest) => void;
  #journey: Journey | undefined;
  #patience: Alarm | undefined;

  constructor(plan: RequestPlan, clock: Clock, onOver: (request: SimulatedRequest) => void) {
    this.plan = plan;
    this.#clock = clock;
    this.#onOver = onOver;
    this.receivedMs = clock.now();
  }

  /** Goes to the director. */
  send(director: Director): void {
    const { id, identity, promptTokens, outputTokens, saysMaxTokens, givesUpAfterMs } = this.plan;
    const { receivedMs } = this;
    const wish = director.promptWish(MODEL);
    if (givesUpAfterMs !== undefined) {
      this.#patience = this.#clock.at(receivedMs + givesUpAfterMs, () => {
        this.#journey?.cancel();
        this.#over('gave-up');
      });
    }
    this.#journey = director.direct(
      {
        ...{ id, identity, receivedMs, model: MODEL, method: 'POST', path: '/v1/chat/completions', body: this.body },
        ...{ sizeBytes: promptTokens * BYTES_PER_TOKEN, sequences: 1, streamed: true },
        ...(wish !== undefined && { prefix: prefixOf(this.plan.contents, promptTokens, wish) }),
        ...(saysMaxTokens && { maxOutputTokens: outputTokens }),
        ...(givesUpAfterMs !== undefined && { deadlineMs: receivedMs + givesUpAfterMs }),
      },
      this,
    );
  }

  get promptTokens(): number {
    return this.plan.promptTokens;
  }

  get outputTokens(): number {
    return this.plan.outputTokens;
  }

  blocks(blockTokens: number): PromptBlocks {
    return blocksOf(this.plan.contents, this.plan.promptTokens, blockTokens);
  }

  produced(tokens: number, isAll: boolean): void {
    this.events = tokens;
    this.#hasUsage = isAll;
  }

  headersToSend(): HeaderBlock {
    return NO_HEADERS;
  }

  begin({ waitMs }: { waitMs: number }): boolean {
    this.waitMs = waitMs;
    return true;
  }

  data(): boolean {
    this.#patience?.cancel();
    this.ttftMs ??= this.#clock.now() - this.receivedMs;
    return true;
  }

  end(): void {
    this.#over('answered');
  }

  fail(problem: Problem, waitMs: number): void {
    this.problem = problem;
    this.waitMs ??= waitMs;
    this.#over(problem.dropReason === undefined ? 'broken' : 'refused');
  }

  /** As a model server tells it with its last token. */
  usage(): Usage | undefined {
    if (!this.#hasUsage) return undefined;
    const { promptTokens } = this.plan;
    return { promptTokens, completionTokens: this.events, cachedTokens: this.cachedTokens };
  }

  #over(fate: Fate): void {
    if (this.fate !== undefined) return;
    this.fate = fate;
    this.#patience?.cancel();
    this.#onOver(this);
  }
}
