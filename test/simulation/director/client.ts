// SPDX-License-Identifier: Apache-2.0

/** A client of a simulated director: takes its answer, leaves when it likes, and notes whatever it should not be told. */

import assert from 'node:assert/strict';
import type { Clock, Usage } from '@fairlead/core';
import type { PromptBlocks } from '@fairlead/core/testing';
import type { Director } from '../../../packages/fairlead/src/director/director.ts';
import type { Journey } from '../../../packages/fairlead/src/director/journey.ts';
import type { Answer, AnswerHead } from '../../../packages/fairlead/src/director/ports.ts';
import type { Problem } from '../../../packages/fairlead/src/director/problem.ts';
import { reportDraft } from '../../../packages/fairlead/src/director/request-report.ts';
import { BYTES_PER_TOKEN } from '../../../packages/fairlead/src/simulate/prompt-contents.ts';
import type { ServerWork } from '../../../packages/fairlead/src/simulate/simulated-fleet.ts';
import { NO_HEADERS } from '../../../packages/fairlead/src/sockets/header-block.ts';
import type { HeaderBlock } from '../../../packages/fairlead/src/sockets/header-block.ts';
import type { Identity } from '../../../packages/fairlead/src/tenancy/identity.ts';
import type { CursedUpstream } from './cursed-upstream.ts';
import type { Ask } from './plan.ts';

/** What it lives in. */
export interface World {
  readonly clock: Clock;
  readonly director: Director;
  readonly upstream: CursedUpstream;
  /** Notes what is thrown. */
  attempt(act: () => void): void;
  ask(ask: Ask): void;
}

export class Client implements Answer, ServerWork {
  readonly id: string;
  readonly body: readonly Uint8Array[] = [];
  readonly promptTokens: number;
  readonly outputTokens: number;
  cachedTokens = 0;
  events = 0;
  readonly #run: World;
  readonly #ask: Ask;
  #state: 'waiting' | 'answered' | 'over' = 'waiting';
  #hasUsage = false;
  #journey: Journey | undefined;

  constructor(run: World, id: string, ask: Ask) {
    this.#run = run;
    this.id = id;
    this.#ask = ask;
    this.promptTokens = ask.promptTokens;
    this.outputTokens = ask.outputTokens;
  }

  get tenant(): string {
    return `t${this.#ask.tenant}`;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  send(identity: Identity, model: string): void {
    const { clock, director } = this.#run;
    const receivedMs = clock.now();
    const { ttlMs, deadlineMs, patienceMs, isStream, promptTokens } = this.#ask;
    this.#journey = director.direct(
      {
        ...{ id: this.id, identity, model, method: 'POST', path: '/v1/chat/completions', body: this.body },
        ...{ sizeBytes: promptTokens * BYTES_PER_TOKEN, sequences: 1, streamed: isStream, receivedMs, ttlMs },
        deadlineMs: deadlineMs === undefined ? undefined : receivedMs + deadlineMs,
      },
      this,
    );
    if (patienceMs !== undefined) clock.at(receivedMs + patienceMs, () => this.leave());
  }

  leave(): void {
    if (this.isOver) return;
    this.#state = 'over';
    this.#journey?.cancel();
  }

  blocks(blockTokens: number): PromptBlocks {
    return { blockTokens, hashes: new Uint32Array(0) };
  }

  produced(tokens: number, isAll: boolean): void {
    this.events = tokens;
    this.#hasUsage = isAll;
  }

  headersToSend(): HeaderBlock {
    this.#expect('waiting', 'is sent');
    return NO_HEADERS;
  }

  begin({ waitMs }: AnswerHead): boolean {
    this.#expect('waiting', 'begins to be answered');
    this.#run.attempt(() => assert.ok(waitMs >= 0));
    this.#state = 'answered';
    if (this.#ask.then === 'leave-at-head') this.leave();
    return this.#ask.isStream;
  }

  data(): boolean {
    this.#expect('answered', 'gets a byte');
    if (this.#ask.then === 'leave-at-data') this.leave();
    return true;
  }

  end(): void {
    this.#expect('answered', 'ends');
    this.#isOver(200);
  }

  fail(problem: Problem): void {
    this.#run.attempt(() => assert.notEqual(this.#state, 'over', `${this.id} fails when it is over`));
    this.#isOver(problem.status);
  }

  usage(): Usage | undefined {
    return this.#hasUsage ? { promptTokens: this.promptTokens, completionTokens: this.events } : undefined;
  }

  #expect(state: 'waiting' | 'answered', what: string): void {
    this.#run.attempt(() => assert.equal(this.#state, state, `${this.id} ${what}`));
  }

  #isOver(status: number): void {
    this.#state = 'over';
    this.#run.attempt(() => this.#checkReport(status));
    if (this.#ask.then === 'ask-again') this.#run.ask({ ...this.#ask, then: 'nothing' });
  }

  /** What is reported of it is what became of it. */
  #checkReport(status: number): void {
    const journey = this.#journey;
    // Refused before there was anything to report.
    if (journey === undefined) return;
    const report = reportDraft(this.id);
    journey.tell(report);
    const wasSent = this.#run.upstream.wasSent(this.body);
    assert.equal(report.outcome === 'Dispatched', report.ending !== undefined, `${this.id} has ${report.outcome}`);
    if (report.ending !== undefined) assert.ok(wasSent, `${this.id} ended ${report.ending}, and was never sent`);
    if (report.ending === 'succeeded') assert.equal(status, 200);
  }
}
