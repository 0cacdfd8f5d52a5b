// SPDX-License-Identifier: Apache-2.0

/**
 * A model server with continuous batching under a virtual clock: so many sequences run at once, as far as its KV cache
 * holds them, the others wait in order of arrival; a prompt is read at a rate, less what its prefix cache has of it; then
 * every sequence of the batch gets a token a step, and a step takes the longer the fuller the batch is, and the more tokens
 * its sequences have by now.
 *
 * Time is computed: what changes the pace of steps, apart from the batch, is how the batch grows by their number, and each
 * sequence knows at which step it has something to tell, so that a run costs a few events for each request and not one for
 * each token.
 */

import type { Alarm, Clock, Random } from '../clock.ts';
import type { EngineMetrics } from '../endpoints/endpoint.ts';
import { IndexedHeap } from '../flow-control/indexed-heap.ts';
import { RecentBlocks } from '../plugins/producers/recent-blocks.ts';
import { drawFactor } from './draws.ts';

export interface ServerModel {
  /** Sequences it runs at once, to begin with. */
  readonly slots: number;
  /** Of a prefill, whatever the prompt. */
  readonly prefillMs: number;
  /** Infinity: prompts cost nothing by their length. */
  readonly prefillTokensPerS: number;
  /** A token of a prompt with so many thousand before it takes so much longer to be read. */
  readonly prefillSlowdown: number;
  /** While a prompt is read, by its length, no other sequence gets a token, and no other prompt is read. */
  readonly prefillStopsDecode: boolean;
  /** A step with one sequence in the batch. */
  readonly tokenMs: number;
  /** With all slots taken a step takes so much longer: 0.5 is half as long again. */
  readonly batchSlowdown: number;
  /** With so many thousand tokens in the batch, prompts and answers, a step takes so much longer. */
  readonly contextSlowdown: number;
  /** Infinity: no limit. Taken whole at admission, prompt and answer. */
  readonly kvTokens: number;
  /** 0: none. */
  readonly prefixCacheTokens: number;
  /** Deviation of the logarithm of a sequence's times; 0: none. */
  readonly noise: number;
}

/** A prompt by its contents: two prompts whose hash of block `i` is equal are equal up to the end of it. */
export interface PromptBlocks {
  readonly blockTokens: number;
  readonly hashes: Uint32Array;
}

/** A request as a server sees it. Called back under the clock, never within `submit`. */
export interface ServerJob {
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly blocks?: PromptBlocks | undefined;
  /** Tokens between two calls of `onTokens`; 64 when left out. */
  readonly tellEvery?: number | undefined;
  /** Told how much of its prompt was cached. */
  onFirstToken(cachedTokens: number): void;
  /** So many tokens by now; told now and then. */
  onTokens(tokens: number): void;
  onFinished(): void;
  /** The server is gone; what there was of the answer has been told. */
  onKilled(): void;
}

const TOLD_TOKENS = 64;

interface Sequence {
  readonly job: ServerJob;
  /** Tokens of KV cache. */
  readonly tokens: number;
  state: 'waiting' | 'prefill' | 'decode' | 'over';
  /** Times of this sequence are so much longer than the model says. */
  factor: number;
  prefilled: Alarm | undefined;
  startStep: number;
  /** Next to be told, and at which step. */
  toldTokens: number;
  dueStep: number;
  slot: number;
}

class DueHeap extends IndexedHeap<Sequence> {
  protected override before(a: Sequence, b: Sequence): boolean {
    return a.dueStep < b.dueStep;
  }
  protected override slotOf({ slot }: Sequence): number {
    return slot;
  }
  protected override setSlot(sequence: Sequence, slot: number): void {
    sequence.slot = slot;
  }
}

export class ModelledServer {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly model: ServerModel;
  #slots: number;
  /** The prefix cache. */
  #cache = new RecentBlocks(0);
  readonly #waiting = new Set<Sequence>();
  readonly #running = new Set<Sequence>();
  readonly #due = new DueHeap();
  #kvUsed = 0;
  #decoding = 0;
  /** Tokens that the decoding sequences have, prompts and answers. */
  #context = 0;
  /** Steps ever made, as of `#steppedMs`. */
  #steps = 0;
  #steppedMs: number;
  /** Prompts are read until then, and nobody gets a token. */
  #stoppedUntilMs = -Infinity;
  #slowness = 1;
  #alarm: Alarm | undefined;
  #stale: EngineMetrics | undefined;
  #isUp = true;
  readonly #sequences = new Map<ServerJob, Sequence>();
  readonly #onChange: (() => void) | undefined;

  /** `onChange`: what it runs or keeps waiting is about to change. */
  constructor(parts: {
    readonly clock: Clock;
    readonly random: Random;
    readonly model: ServerModel;
    readonly onChange?: () => void;
  }) {
    this.#onChange = parts.onChange;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.model = parts.model;
    this.#slots = parts.model.slots;
    this.#steppedMs = parts.clock.now();
  }

  /** Sequences it runs at once. */
  get slots(): number {
    return this.#slots;
  }

  /** False from `kill` to `revive`. */
  get isUp(): boolean {
    return this.#isUp;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get metrics(): EngineMetrics {
    return this.#stale ?? this.#metricsNow;
  }

  /** Its metrics stay as they are, or are true again. */
  freezeMetrics(isFrozen: boolean): void {
    this.#stale = isFrozen ? this.#metricsNow : undefined;
  }

  get #metricsNow(): EngineMetrics {
    const { kvTokens } = this.model;
    const kvUsage = kvTokens === Infinity ? undefined : this.#kvUsed / kvTokens;
    return { running: this.running, waiting: this.waiting, kvUsage };
  }

  /** A request comes in; one that is larger than the whole KV cache runs alone. */
  submit(job: ServerJob): void {
    this.#onChange?.();
    const sequence: Sequence = {
      job,
      tokens: job.promptTokens + job.outputTokens,
      state: 'waiting',
      factor: 1,
      prefilled: undefined,
      startStep: 0,
      toldTokens: 0,
      dueStep: Infinity,
      slot: -1,
    };
    this.#sequences.set(job, sequence);
    this.#waiting.add(sequence);
    this.#admit();
  }

  /** Its client has left; without effect when it is over. */
  abort(job: ServerJob): void {
    const sequence = this.#sequences.get(job);
    if (sequence === undefined) return;
    this.#onChange?.();
    this.#leave(sequence);
    this.#admit();
    this.#arm();
  }

  /** It runs so many at once from now on, and goes on with those that it runs. */
  resize(slots: number): void {
    this.#onChange?.();
    this.#step();
    this.#slots = slots;
    this.#admit();
    this.#arm();
  }

  /** Everything takes so many times as long from now on; prefills under way end as they would have. */
  slowDown(factor: number): void {
    this.#step();
    this.#slowness = factor;
    this.#arm();
  }

  /** It is gone, with all that it held, its prefix cache included; until `revive` nothing may be submitted. */
  kill(): void {
    this.#onChange?.();
    this.#isUp = false;
    this.#step();
    const lost = [...this.#sequences.values()].map((sequence) => ({ sequence, tokens: this.#tokensOf(sequence) }));
    for (const { sequence } of lost) this.#leave(sequence);
    this.#cache = new RecentBlocks(0);
    this.#arm();
    for (const { sequence, tokens } of lost) {
      if (tokens > 0) sequence.job.onTokens(tokens);
      sequence.job.onKilled();
    }
  }

  /** It is back, and empty. */
  revive(): void {
    this.#onChange?.();
    this.#isUp = true;
  }

  #admit(): void {
    const { slots, model } = this;
    for (const sequence of this.#waiting) {
      if (this.running >= slots || (this.running > 0 && this.#kvUsed + sequence.tokens > model.kvTokens)) break;
      this.#waiting.delete(sequence);
      this.#prefill(sequence);
    }
  }

  #prefill(sequence: Sequence): void {
    const { prefillMs, prefillTokensPerS, prefillSlowdown, noise } = this.model;
    const { promptTokens, blocks } = sequence.job;
    this.#running.add(sequence);
    this.#kvUsed += sequence.tokens;
    sequence.state = 'prefill';
    sequence.factor = drawFactor(noise, this.#random);
    const cached = blocks === undefined ? 0 : Math.min(promptTokens, this.#cachedOf(blocks));
    const pace = sequence.factor * this.#slowness;
    const late = (prefillSlowdown * (promptTokens ** 2 - cached ** 2)) / 2000;
    const readMs = this.#read((pace * 1000 * (promptTokens - cached + late)) / prefillTokensPerS);
    sequence.prefilled = this.#clock.at(readMs + pace * prefillMs, () => {
      this.#prefilled(sequence, cached);
    });
  }

  /** Tokens of a prompt that the prefix cache has; it has all of it from now on, as far as it can. */
  #cachedOf({ blockTokens, hashes }: PromptBlocks): number {
    this.#cache.capacity = Math.floor(this.model.prefixCacheTokens / blockTokens);
    const found = this.#cache.matched(hashes, hashes.length, 0);
    this.#cache.use(hashes, hashes.length, 0);
    return found * blockTokens;
  }

  /** When a prompt that takes so long has been read. */
  #read(tookMs: number): number {
    const nowMs = this.#clock.now();
    if (!this.model.prefillStopsDecode) return nowMs + tookMs;
    this.#step();
    this.#stoppedUntilMs = Math.max(nowMs, this.#stoppedUntilMs) + tookMs;
    this.#arm();
    return this.#stoppedUntilMs;
  }

  #prefilled(sequence: Sequence, cached: number): void {
    this.#step();
    sequence.state = 'decode';
    this.#decoding += 1;
    this.#context += sequence.job.promptTokens;
    sequence.startStep = this.#steps;
    sequence.toldTokens = 1;
    sequence.job.onFirstToken(cached);
    // It may have left on hearing that.
    if ((sequence.state as Sequence['state']) === 'decode') this.#tellNext(sequence);
    this.#arm();
  }

  #tellNext(sequence: Sequence): void {
    const { outputTokens, tellEvery = TOLD_TOKENS } = sequence.job;
    sequence.toldTokens = Math.min(outputTokens, sequence.toldTokens + tellEvery);
    sequence.dueStep = sequence.startStep + Math.max(0, sequence.toldTokens - 1) * sequence.factor;
    this.#due.push(sequence);
  }

  /** Time has passed: the steps that it was enough for. */
  #step(): void {
    const nowMs = this.#clock.now();
    const fromMs = Math.max(this.#steppedMs, Math.min(nowMs, this.#stoppedUntilMs));
    this.#advance(this.#stepsIn(nowMs - fromMs));
    this.#steppedMs = nowMs;
  }

  #advance(steps: number): void {
    this.#steps += steps;
    this.#context += steps * this.#decoding;
  }

  /** A step as the batch is now. */
  #stepMs(): number {
    const { slots, model } = this;
    const { tokenMs, batchSlowdown, contextSlowdown } = model;
    const fullness = slots > 1 ? Math.max(0, this.#decoding - 1) / (slots - 1) : 0;
    const slowdown = batchSlowdown * fullness + (contextSlowdown * this.#context) / 1000;
    return Math.max(1e-9, tokenMs * (1 + slowdown) * this.#slowness);
  }

  /** How much longer each step takes than the one before it: each adds a token to every sequence. */
  #growthMs(): number {
    const { tokenMs, contextSlowdown } = this.model;
    return (tokenMs * contextSlowdown * this.#decoding * this.#slowness) / 1000;
  }

  #msOf(steps: number): number {
    return steps * this.#stepMs() + (steps ** 2 * this.#growthMs()) / 2;
  }

  /** The inverse of `#msOf`, in the form that holds without growth as well. */
  #stepsIn(ms: number): number {
    const stepMs = this.#stepMs();
    return (2 * ms) / (stepMs + Math.sqrt(stepMs ** 2 + 2 * this.#growthMs() * ms));
  }

  #arm(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    const next = this.#due.peek();
    if (next === undefined) return;
    const inMs = this.#msOf(Math.max(0, next.dueStep - this.#steps));
    const fromMs = Math.max(this.#clock.now(), this.#stoppedUntilMs);
    this.#alarm = this.#clock.at(fromMs + inMs, () => this.#tell(next));
  }

  /** The alarm was for it: it is its turn, wherever rounding puts the step. */
  #tell(sequence: Sequence): void {
    this.#alarm = undefined;
    this.#step();
    this.#advance(Math.max(0, sequence.dueStep - this.#steps));
    this.#due.remove(sequence);
    const { job, toldTokens } = sequence;
    if (toldTokens < job.outputTokens) {
      job.onTokens(toldTokens);
      if (sequence.state === 'decode') this.#tellNext(sequence);
    } else {
      this.#onChange?.();
      this.#leave(sequence);
      this.#admit();
      job.onFinished();
    }
    this.#arm();
  }

  /** Of its answer, by now. */
  #tokensOf({ state, startStep, factor, job }: Sequence): number {
    if (state !== 'decode') return 0;
    return Math.min(job.outputTokens, 1 + Math.floor((this.#steps - startStep) / factor));
  }

  #leave(sequence: Sequence): void {
    this.#step();
    if (this.#running.delete(sequence)) this.#kvUsed -= sequence.tokens;
    this.#waiting.delete(sequence);
    this.#sequences.delete(sequence.job);
    sequence.prefilled?.cancel();
    if (sequence.state === 'decode') {
      this.#decoding -= 1;
      this.#context -= sequence.job.promptTokens + this.#steps - sequence.startStep;
      // What rounding left of an empty batch would add up.
      if (this.#decoding === 0) this.#context = 0;
    }
    if (sequence.slot >= 0) this.#due.remove(sequence);
    sequence.state = 'over';
  }
}
