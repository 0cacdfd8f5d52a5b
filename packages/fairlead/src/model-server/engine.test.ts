// SPDX-License-Identifier: Apache-2.0

/**
 * The engine under a virtual clock: who runs when, what a late wake-up changes (nothing but the lateness), and, over
 * random loads, what must hold at every moment.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from './clock.ts';
import type { EngineSettings, Sequence } from './engine.ts';
import { blocksFor, Engine } from './engine.ts';

const SETTINGS: EngineSettings = {
  maxNumSeqs: 2,
  prefillMs: 50,
  prefillTokensPerS: 0,
  tokenMs: 10,
  kvBlocks: 1000,
  maxLoras: 0,
  stallAfter: null,
};

/** One timer is all the engine may ever have; a second one at the same time is a failure. */
class OneTimerClock implements Clock {
  timeMs = 0;
  #due: { atMs: number; callback: () => void } | undefined;

  nowMs(): number {
    return this.timeMs;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    assert.equal(this.#due, undefined, 'a second timer');
    const due = { atMs: this.timeMs + delayMs, callback };
    this.#due = due;
    return () => {
      if (this.#due === due) this.#due = undefined;
    };
  }

  get timerAtMs(): number {
    return this.#due?.atMs ?? Infinity;
  }

  /** Goes to `timeMs`, waking on time on the way. */
  runTo(timeMs: number): void {
    while (this.timerAtMs <= timeMs) this.wake(this.timerAtMs);
    this.timeMs = timeMs;
  }

  /** Fires the timer at `timeMs`, however late that is. */
  wake(timeMs: number): void {
    const due = this.#due;
    assert(due !== undefined, 'no timer to wake');
    this.#due = undefined;
    this.timeMs = Math.max(this.timeMs, timeMs);
    due.callback();
  }
}

interface Heard {
  readonly sequence: Sequence;
  /** Clock time of each token, in order. */
  readonly atMs: number[];
  finishedAtMs: number | undefined;
}

function setup(settings: Partial<EngineSettings> = {}) {
  const clock = new OneTimerClock();
  const engine = new Engine({ clock, settings: { ...SETTINGS, ...settings } });
  const submit = (outputTokens: number, promptTokens = 4): Heard => {
    const atMs: number[] = [];
    const heard: { -readonly [Key in keyof Heard]?: Heard[Key] } = { atMs };
    heard.sequence = engine.submit({
      promptTokens,
      outputTokens,
      onTokens(count, finished) {
        for (let told = 0; told < count; told++) atMs.push(clock.timeMs);
        if (!finished) return;
        assert.equal(heard.finishedAtMs, undefined, 'finished twice');
        heard.finishedAtMs = clock.timeMs;
      },
    });
    return heard as Heard;
  };
  return { clock, engine, submit };
}

describe('pace', () => {
  test('the first token comes a prefill after admission, then one every tokenMs', () => {
    const { clock, submit } = setup();
    const heard = submit(4);
    clock.runTo(1000);
    assert.deepEqual(heard.atMs, [50, 60, 70, 80]);
    assert.equal(heard.finishedAtMs, 80);
  });

  test('a long prompt lengthens the prefill when prompt speed is modelled', () => {
    const { clock, submit } = setup({ prefillTokensPerS: 1000 });
    const heard = submit(1, 200);
    clock.runTo(1000);
    assert.deepEqual(heard.atMs, [250]);
  });

  test('what the prefix cache has needs no prefill', () => {
    const clock = new OneTimerClock();
    const prefixCache = { admit: () => 160 };
    const engine = new Engine({ clock, settings: { ...SETTINGS, prefillTokensPerS: 1000 }, prefixCache });
    const told: number[] = [];
    engine.submit({
      ...{ promptTokens: 200, outputTokens: 1, blocks: [] },
      onCached: (tokens) => void told.push(tokens),
      onTokens: () => void told.push(clock.timeMs),
    });
    clock.runTo(1000);
    assert.deepEqual(told, [160, 90]);
  });

  test('an embedding ends with its prefill and yields no token', () => {
    const { clock, submit } = setup();
    const heard = submit(0);
    clock.runTo(1000);
    assert.deepEqual(heard.atMs, []);
    assert.equal(heard.finishedAtMs, 50);
  });

  test('an engine with nothing to do has no timer', () => {
    const { clock, submit } = setup();
    assert.equal(clock.timerAtMs, Infinity);
    submit(1);
    clock.runTo(60);
    assert.equal(clock.timerAtMs, Infinity);
  });

  test('a late wake-up delivers all that is due at once and loses no time', () => {
    const { clock, submit } = setup();
    const heard = submit(10);
    clock.wake(75);
    assert.deepEqual(heard.atMs, [75, 75, 75]);
    clock.runTo(200);
    assert.equal(heard.finishedAtMs, 140);
  });

  test('a slot freed while the process slept counts as freed when its last token was due', () => {
    const { clock, submit } = setup({ maxNumSeqs: 1 });
    submit(1);
    const second = submit(2);
    clock.wake(105);
    assert.deepEqual(second.atMs, [105]);
    clock.runTo(200);
    assert.equal(second.finishedAtMs, 110);
  });

  test('an awkward pace still ends on its last token', () => {
    const { clock, submit } = setup({ tokenMs: 0.1, prefillMs: 0.3 });
    const heard = submit(1000);
    clock.runTo(1000);
    assert.equal(heard.atMs.length, 1000);
    assert.notEqual(heard.finishedAtMs, undefined);
  });
});

describe('slots', () => {
  test('further sequences wait in arrival order, and a freed slot is refilled at once', () => {
    const { clock, engine, submit } = setup();
    submit(1);
    submit(6);
    const third = submit(1);
    const fourth = submit(1);
    assert.deepEqual([engine.running, engine.waiting], [2, 2]);
    clock.runTo(50);
    assert.deepEqual([engine.running, engine.waiting], [2, 1]);
    clock.runTo(1000);
    assert.deepEqual([third.atMs, fourth.atMs], [[100], [150]]);
  });

  test('an abort frees its slot in the same turn', () => {
    const { clock, engine, submit } = setup({ maxNumSeqs: 1 });
    const first = submit(100);
    const second = submit(1);
    clock.runTo(55);
    engine.abort(first.sequence);
    assert.deepEqual([engine.running, engine.waiting], [1, 0]);
    clock.runTo(1000);
    assert.deepEqual(first.atMs, [50]);
    assert.deepEqual(second.atMs, [105]);
  });

  test('an abort while waiting leaves the queue, and a second abort does nothing', () => {
    const { clock, engine, submit } = setup({ maxNumSeqs: 1 });
    submit(1);
    const second = submit(1);
    engine.abort(second.sequence);
    engine.abort(second.sequence);
    clock.runTo(1000);
    assert.deepEqual([engine.running, engine.waiting, engine.kvUsage], [0, 0, 0]);
    assert.equal(second.finishedAtMs, undefined);
  });

  test('a callback may abort another sequence whose tokens are due in the same wake-up', () => {
    const { clock, engine, submit } = setup();
    const other: { sequence?: Sequence } = {};
    const abortOther = (): void => {
      if (other.sequence !== undefined) engine.abort(other.sequence);
    };
    engine.submit({ promptTokens: 1, outputTokens: 2, onTokens: abortOther });
    const victim = submit(2);
    other.sequence = victim.sequence;
    clock.runTo(1000);
    assert.deepEqual(victim.atMs, []);
    assert.equal(engine.running, 0);
  });

  test('more slots at run time let waiting sequences in at once', () => {
    const { engine, submit } = setup({ maxNumSeqs: 1 });
    submit(1);
    submit(1);
    engine.configure({ maxNumSeqs: 2 });
    assert.deepEqual([engine.running, engine.waiting], [2, 0]);
  });
});

describe('KV room', () => {
  test('the head waits for room and holds up those behind it', () => {
    const { clock, engine, submit } = setup({ kvBlocks: 10, maxNumSeqs: 8 });
    submit(64, 64);
    const large = submit(64, 64);
    const small = submit(1, 1);
    assert.deepEqual([engine.running, engine.waiting, engine.kvUsage], [1, 2, 0.8]);
    clock.runTo(10_000);
    assert.equal(large.sequence.admittedAtMs, 680);
    assert.equal(small.sequence.admittedAtMs, 680);
  });

  test('a sequence that could never run is refused', () => {
    const { submit } = setup({ kvBlocks: 10 });
    assert.throws(() => submit(100, 100), /13 KV blocks can never run: the cache has 10/);
  });
});

describe('stalls', () => {
  test('a stalled sequence falls silent but keeps its slot', () => {
    const { clock, engine, submit } = setup({ stallAfter: 2 });
    const heard = submit(5);
    clock.runTo(10_000);
    assert.deepEqual(heard.atMs, [50, 60]);
    assert.equal(engine.running, 1);
    assert.equal(clock.timerAtMs, Infinity);
  });

  test('lifting the stall lets it go on at its own pace, with no burst', () => {
    const { clock, engine, submit } = setup({ stallAfter: 2 });
    const heard = submit(4);
    clock.runTo(1000);
    engine.configure({ stallAfter: null });
    clock.runTo(2000);
    assert.deepEqual(heard.atMs, [50, 60, 1010, 1020]);
  });
});

describe('over random loads', () => {
  const job = fc.record({
    waitMs: fc.nat(40),
    promptTokens: fc.integer({ min: 1, max: 60 }),
    outputTokens: fc.nat(12),
    abortAfterMs: fc.option(fc.nat(120), { nil: undefined }),
  });

  test('limits hold, every sequence ends once with all its tokens, and no token is early', () => {
    fc.assert(
      fc.property(fc.array(job, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (jobs, maxNumSeqs) => {
        const { clock, engine, submit } = setup({ maxNumSeqs, kvBlocks: 12, tokenMs: 7 });
        const steps: { atMs: number; act: () => void }[] = [];
        const all: Heard[] = [];
        let atMs = 0;
        for (const { waitMs, promptTokens, outputTokens, abortAfterMs } of jobs) {
          atMs += waitMs;
          const index = all.length + steps.length;
          const slot: { heard?: Heard } = {};
          steps.push({ atMs, act: () => void all.push((slot.heard = submit(outputTokens, promptTokens))) });
          if (abortAfterMs === undefined) continue;
          const abort = (): void => slot.heard && engine.abort(slot.heard.sequence);
          steps.push({ atMs: atMs + abortAfterMs + (index % 2), act: abort });
        }
        for (const step of steps.sort((a, b) => a.atMs - b.atMs)) {
          clock.runTo(step.atMs);
          step.act();
          assert(engine.running <= maxNumSeqs && engine.kvUsage <= 1);
        }
        clock.runTo(1_000_000);
        assert.deepEqual([engine.running, engine.waiting, engine.kvUsage, clock.timerAtMs], [0, 0, 0, Infinity]);
        for (const heard of all) checkEnding(heard);
      }),
    );
  });

  test('late wake-ups, however late, end every sequence when punctual ones would have', () => {
    const ends = (latenessMs: readonly number[]): number[] => {
      const { clock, submit } = setup();
      const all = [5, 1, 9, 3, 3, 12, 1].map((tokens) => submit(tokens));
      for (let turn = 0; clock.timerAtMs < Infinity; turn++) {
        clock.wake(clock.timerAtMs + (latenessMs[turn % latenessMs.length] ?? 0));
      }
      return all.map((heard) => heard.sequence.endedAtMs);
    };
    const punctual = ends([0]);
    fc.assert(
      fc.property(fc.array(fc.nat(200), { minLength: 1, maxLength: 20 }), (latenessMs) => {
        assert.deepEqual(ends(latenessMs), punctual);
      }),
    );
  });
});

function checkEnding({ sequence, atMs, finishedAtMs }: Heard): void {
  assert.equal(sequence.blocks, blocksFor(sequence.work.promptTokens + sequence.work.outputTokens));
  assert.equal(sequence.state === 'finished', finishedAtMs !== undefined);
  if (sequence.state === 'finished') assert.equal(atMs.length, sequence.work.outputTokens);
  for (const [index, tokenAtMs] of atMs.entries()) assert.equal(tokenAtMs, sequence.admittedAtMs + 50 + index * 7);
}
