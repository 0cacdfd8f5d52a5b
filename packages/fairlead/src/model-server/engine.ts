// SPDX-License-Identifier: Apache-2.0

/**
 * An inference engine with continuous batching, as far as a client can tell: at most `maxNumSeqs` sequences run, the
 * others wait in arrival order; a sequence's first token comes its prefill time after admission, then one every
 * `tokenMs`; a slot freed by an end or an abort is refilled at once.
 *
 * Time is computed, not counted. Every token has a due time fixed at admission, one timer sleeps until the earliest,
 * and each wake-up delivers all that has become due. An end frees its slot *as of its due time*, so a late wake-up on a
 * busy core delays tokens but never slows the engine.
 *
 * KV room is taken whole (prompt + output) at admission and given back at the end; unlike vLLM nothing is ever
 * preempted. The head of the queue waits for room and holds up those behind it, as in vLLM.
 */

import type { Clock } from './clock.ts';

/** Tokens in one KV block; vLLM's default. */
export const BLOCK_TOKENS = 16;

export interface EngineSettings {
  readonly maxNumSeqs: number;
  /** Fixed part of a prefill. */
  readonly prefillMs: number;
  /** Speed of the part of a prefill that grows with the prompt; 0 = no such part. */
  readonly prefillTokensPerS: number;
  readonly tokenMs: number;
  readonly kvBlocks: number;
  /** LoRA adapters whose sequences run at once; 0 = any number. */
  readonly maxLoras: number;
  /** Sequences fall silent after this many tokens, and keep their slot; null = never. */
  readonly stallAfter: number | null;
}

/** What a caller wants generated. */
export interface Work {
  readonly promptTokens: number;
  /** 0 for an embedding: it ends with its prefill. */
  readonly outputTokens: number;
  readonly adapter?: string | undefined;
  /** The prompt as the prefix cache knows it; absent when there is none. */
  readonly blocks?: readonly string[] | undefined;
  /** Told when it is admitted how much of its prompt was cached. */
  onCached?(tokens: number): void;
  /** Told of tokens as they come, several at a time after a late wake-up; `finished` with the last. May call the engine. */
  onTokens(count: number, finished: boolean): void;
}

export type SequenceState = 'waiting' | 'running' | 'finished' | 'aborted';

/** One sequence in the engine; only the engine writes it. Times are the clock's, NaN until they happen. */
export interface Sequence {
  readonly work: Work;
  readonly blocks: number;
  readonly submittedAtMs: number;
  state: SequenceState;
  admittedAtMs: number;
  firstTokenAtMs: number;
  endedAtMs: number;
  /** Pace taken over from the settings at admission. */
  tokenMs: number;
  /** When token 0 is due; token k is due `k * tokenMs` later. */
  firstDueMs: number;
  emitted: number;
  /** Emitted but not yet told to `onTokens`. */
  untold: number;
}

/** Keeps prompts from one sequence to the next. */
export interface PromptStore {
  /** Takes a prompt in; returns how many of its tokens were there. */
  admit(blocks: readonly string[], promptTokens: number): number;
}

/** Hears what the metrics count. */
export interface EngineObserver {
  tokens(sequence: Sequence, count: number): void;
  ended(sequence: Sequence): void;
}

/** KV blocks that hold this many tokens. */
export function blocksFor(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS);
}

export class Engine {
  readonly #clock: Clock;
  readonly #observer: EngineObserver | undefined;
  readonly #prefixCache: PromptStore | undefined;
  #settings: EngineSettings;
  readonly #running = new Set<Sequence>();
  /** In arrival order; a Set, so that an abort leaves from the middle in O(1). */
  readonly #waiting = new Set<Sequence>();
  #blocksUsed = 0;
  #timerAtMs = Infinity;
  #cancelTimer: (() => void) | undefined;
  readonly #toTell: Sequence[] = [];
  #telling = false;

  constructor(parts: {
    clock: Clock;
    settings: EngineSettings;
    observer?: EngineObserver;
    prefixCache?: PromptStore | undefined;
  }) {
    this.#clock = parts.clock;
    this.#settings = parts.settings;
    this.#observer = parts.observer;
    this.#prefixCache = parts.prefixCache;
  }

  get cachesPrefixes(): boolean {
    return this.#prefixCache !== undefined;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Share of the KV blocks taken, 0 to 1. */
  get kvUsage(): number {
    return this.#blocksUsed / this.#settings.kvBlocks;
  }

  /** Names of the adapters that running and waiting sequences use. */
  adapters(): { running: string[]; waiting: string[] } {
    return { running: adaptersOf(this.#running), waiting: adaptersOf(this.#waiting) };
  }

  /** @throws {RangeError} when the sequence would not fit into an empty KV cache, so could never run. */
  submit(work: Work): Sequence {
    const blocks = blocksFor(work.promptTokens + work.outputTokens);
    if (blocks > this.#settings.kvBlocks) {
      throw new RangeError(`a sequence of ${blocks} KV blocks can never run: the cache has ${this.#settings.kvBlocks}`);
    }
    const sequence: Sequence = {
      work,
      blocks,
      submittedAtMs: this.#clock.nowMs(),
      state: 'waiting',
      admittedAtMs: NaN,
      firstTokenAtMs: NaN,
      endedAtMs: NaN,
      tokenMs: NaN,
      firstDueMs: NaN,
      emitted: 0,
      untold: 0,
    };
    this.#waiting.add(sequence);
    this.#advance();
    return sequence;
  }

  /** Ends a sequence now, without a further `onTokens`; a second call does nothing. */
  abort(sequence: Sequence): void {
    if (sequence.state !== 'waiting' && sequence.state !== 'running') return;
    this.#end(sequence, 'aborted', this.#clock.nowMs());
    this.#advance();
  }

  /**
   * New paces hold for sequences admitted from now on, a new `maxNumSeqs` at once (running ones are never put out).
   * Lifting a stall lets silent sequences go on from now at their own pace.
   */
  configure(changes: Partial<EngineSettings>): void {
    this.#advance();
    const nowMs = this.#clock.nowMs();
    for (const sequence of this.#running) {
      if (this.#nextDueMs(sequence) !== Infinity) continue;
      const resumeAtMs = sequence.emitted === 0 ? Math.max(sequence.firstDueMs, nowMs) : nowMs + sequence.tokenMs;
      sequence.firstDueMs = resumeAtMs - sequence.emitted * sequence.tokenMs;
    }
    this.#settings = { ...this.#settings, ...changes };
    this.#advance();
  }

  /** Aborts everything. */
  destroy(): void {
    for (const sequence of [...this.#waiting, ...this.#running]) this.abort(sequence);
  }

  /** Brings the engine to the present: ends and admissions in the order of their due times, then the tokens due. */
  #advance(): void {
    const nowMs = this.#clock.nowMs();
    for (let next = this.#nextToFinish(nowMs); next !== undefined; next = this.#nextToFinish(nowMs)) {
      const finishedAtMs = this.#finishAtMs(next);
      this.#emit(next, next.work.outputTokens);
      this.#end(next, 'finished', finishedAtMs);
      if (next.untold === 0) this.#toTell.push(next);
      this.#admit(finishedAtMs);
    }
    this.#admit(nowMs);
    for (const sequence of this.#running) this.#emit(sequence, this.#tokensDue(sequence, nowMs));
    this.#armTimer(nowMs);
    this.#tell();
  }

  #nextToFinish(nowMs: number): Sequence | undefined {
    let earliest: Sequence | undefined;
    let earliestMs = nowMs;
    for (const sequence of this.#running) {
      const finishAtMs = this.#finishAtMs(sequence);
      if (finishAtMs > earliestMs) continue;
      earliest = sequence;
      earliestMs = finishAtMs;
    }
    return earliest;
  }

  /** Lets waiting sequences in, as of `atMs` or their own arrival if that was later. */
  #admit(atMs: number): void {
    for (const sequence of this.#waiting) {
      if (this.#running.size >= this.#settings.maxNumSeqs) return;
      if (this.#blocksUsed + sequence.blocks > this.#settings.kvBlocks) return;
      // As in vLLM, one that waits for its adapter holds up nobody else.
      if (!this.#hasRoomForAdapter(sequence.work.adapter)) continue;
      this.#waiting.delete(sequence);
      this.#running.add(sequence);
      this.#blocksUsed += sequence.blocks;
      const { prefillMs, prefillTokensPerS, tokenMs } = this.#settings;
      const newTokens = sequence.work.promptTokens - this.#takeCached(sequence.work);
      const promptMs = prefillTokensPerS > 0 ? (newTokens * 1000) / prefillTokensPerS : 0;
      sequence.state = 'running';
      sequence.admittedAtMs = Math.max(atMs, sequence.submittedAtMs);
      sequence.firstDueMs = sequence.admittedAtMs + prefillMs + promptMs;
      sequence.tokenMs = tokenMs;
    }
  }

  #hasRoomForAdapter(adapter: string | undefined): boolean {
    const { maxLoras } = this.#settings;
    if (adapter === undefined || maxLoras === 0) return true;
    const running = adaptersOf(this.#running);
    return running.length < maxLoras || running.includes(adapter);
  }

  #takeCached({ blocks, promptTokens, onCached }: Work): number {
    if (this.#prefixCache === undefined || blocks === undefined) return 0;
    const tokens = this.#prefixCache.admit(blocks, promptTokens);
    onCached?.(tokens);
    return tokens;
  }

  #end(sequence: Sequence, state: 'finished' | 'aborted', atMs: number): void {
    if (this.#running.delete(sequence)) this.#blocksUsed -= sequence.blocks;
    else this.#waiting.delete(sequence);
    sequence.state = state;
    sequence.endedAtMs = atMs;
    this.#observer?.ended(sequence);
  }

  /** Raises a sequence's tokens to `total`, never lowers them. */
  #emit(sequence: Sequence, total: number): void {
    const count = total - sequence.emitted;
    if (count <= 0) return;
    if (sequence.emitted === 0) sequence.firstTokenAtMs = sequence.firstDueMs;
    sequence.emitted = total;
    this.#observer?.tokens(sequence, count);
    if (sequence.untold === 0) this.#toTell.push(sequence);
    sequence.untold += count;
  }

  #tokensDue(sequence: Sequence, nowMs: number): number {
    const { firstDueMs, tokenMs } = sequence;
    if (nowMs < firstDueMs) return 0;
    let due = Math.floor((nowMs - firstDueMs) / tokenMs) + 1;
    // The division may round across a due time; what counts is the sum that timer and end are computed from.
    if (firstDueMs + due * tokenMs <= nowMs) due++;
    else if (firstDueMs + (due - 1) * tokenMs > nowMs) due--;
    return Math.min(due, this.#tokenLimit(sequence));
  }

  #tokenLimit(sequence: Sequence): number {
    return Math.min(sequence.work.outputTokens, this.#settings.stallAfter ?? Infinity);
  }

  #finishAtMs(sequence: Sequence): number {
    const { outputTokens } = sequence.work;
    if (this.#tokenLimit(sequence) < outputTokens) return Infinity;
    return sequence.firstDueMs + Math.max(0, outputTokens - 1) * sequence.tokenMs;
  }

  #nextDueMs(sequence: Sequence): number {
    if (sequence.work.outputTokens === 0) return sequence.firstDueMs;
    if (sequence.emitted >= this.#tokenLimit(sequence)) return Infinity;
    return sequence.firstDueMs + sequence.emitted * sequence.tokenMs;
  }

  #armTimer(nowMs: number): void {
    let nextMs = Infinity;
    for (const sequence of this.#running) nextMs = Math.min(nextMs, this.#nextDueMs(sequence));
    if (nextMs === this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAtMs = nextMs;
    if (nextMs === Infinity) return;
    this.#cancelTimer = this.#clock.setTimer(Math.max(0, nextMs - nowMs), () => {
      this.#timerAtMs = Infinity;
      this.#cancelTimer = undefined;
      this.#advance();
    });
  }

  /** Calls back last, when the state is whole; a callback that comes back in only adds to the list. */
  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let index = 0; index < this.#toTell.length; index++) {
        const sequence = this.#toTell[index];
        if (sequence === undefined || sequence.state === 'aborted') continue;
        const finished = sequence.state === 'finished';
        const count = sequence.untold;
        sequence.untold = 0;
        if (count > 0 || finished) sequence.work.onTokens(count, finished);
      }
    } finally {
      this.#toTell.length = 0;
      this.#telling = false;
    }
  }
}

function adaptersOf(sequences: Iterable<Sequence>): string[] {
  const names = new Set<string>();
  for (const { work } of sequences) if (work.adapter !== undefined) names.add(work.adapter);
  return [...names];
}
