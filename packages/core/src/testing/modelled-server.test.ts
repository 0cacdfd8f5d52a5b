// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { ModelledServer } from './modelled-server.ts';
import type { PromptBlocks, ServerJob, ServerModel } from './modelled-server.ts';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

class Stand {
  readonly clock = new VirtualClock();
  readonly server: ModelledServer;
  /** What jobs were told, as `name event@ms`. */
  readonly told: string[] = [];

  constructor(model: Partial<ServerModel> = {}) {
    const { clock } = this;
    const defaults = { slots: 2, prefillMs: 50, prefillTokensPerS: Infinity, tokenMs: 10 };
    const full = {
      ...defaults,
      kvTokens: Infinity,
      prefillStopsDecode: false,
      prefillSlowdown: 0,
      batchSlowdown: 0,
      contextSlowdown: 0,
      prefixCacheTokens: 0,
      noise: 0,
      ...model,
    };
    this.server = new ModelledServer({ clock, random: seededRandom(1), model: full });
  }

  submit(name: string, work: { prompt?: number; output?: number; blocks?: PromptBlocks } = {}): ServerJob {
    const tell = (what: string): void => void this.told.push(`${name} ${what}@${Math.round(this.clock.now())}`);
    const job: ServerJob = {
      promptTokens: work.prompt ?? 100,
      outputTokens: work.output ?? 11,
      blocks: work.blocks,
      onFirstToken: (cached) => tell(cached > 0 ? `first (${cached} cached)` : 'first'),
      onTokens: (tokens) => tell(`${tokens}`),
      onFinished: () => tell('end'),
      onKilled: () => tell('killed'),
    };
    this.server.submit(job);
    return job;
  }
}

test('so many run at once, the others wait in order, and a slot is taken again in the moment in which it is free', () => {
  const stand = new Stand({ slots: 1 });
  for (const name of ['a', 'b']) stand.submit(name);
  assert.deepEqual([stand.server.running, stand.server.waiting], [1, 1]);
  stand.clock.advance(1000);
  assert.deepEqual(stand.told, ['a first@50', 'a end@150', 'b first@200', 'b end@300']);
});

test('a prompt is read at a rate, and a long answer is told of on its way', () => {
  const stand = new Stand({ prefillTokensPerS: 1000 });
  stand.submit('a', { prompt: 200, output: 101 });
  stand.clock.advance(5000);
  assert.deepEqual(stand.told, ['a first@250', 'a 65@890', 'a end@1250']);
});

test('the later tokens of a prompt take longer to be read, and what is cached none of it', () => {
  const stand = new Stand({ prefillMs: 0, prefillTokensPerS: 1000, prefillSlowdown: 5, prefixCacheTokens: 1000 });
  for (const hashes of [Uint32Array.of(1), Uint32Array.of(1, 2)]) {
    stand.submit('a', { prompt: 100 * hashes.length, output: 1, blocks: { blockTokens: 100, hashes } });
    stand.clock.advance(1000);
  }
  // The first of the second 100 take half as long again, the last twice as long.
  const firsts = stand.told.filter((line) => line.includes('first'));
  assert.deepEqual(firsts, ['a first@125', 'a first (100 cached)@1175']);
});

test('the fuller the batch, the longer a token takes, from the moment on in which it is', () => {
  const stand = new Stand({ slots: 2, prefillMs: 0, batchSlowdown: 1 });
  stand.submit('a', { output: 11 });
  stand.clock.advance(50);
  // Five of ten steps at 10 ms, then at 20 ms; when one has ended, the other is alone again.
  stand.submit('b', { output: 11 });
  stand.clock.advance(5000);
  assert.deepEqual(stand.told, ['a first@0', 'b first@50', 'a end@150', 'b end@200']);
});

test('the more tokens the batch has, the longer the next ones take, whenever one looks', () => {
  const stand = new Stand({ slots: 2, prefillMs: 0, contextSlowdown: 10 });
  // With 100 tokens a step takes twice as long, and each token of the answer adds 0.1 ms: 10 × 20 + 10² × 0.1 / 2.
  stand.submit('a');
  for (const atMs of [1, 99]) {
    stand.clock.advance(atMs);
    stand.server.slowDown(1);
  }
  stand.clock.advance(900);
  // Together they have twice as many, and get twice as many; what has left counts no more.
  for (const name of ['b', 'c']) stand.submit(name);
  stand.clock.advance(1000);
  stand.submit('d');
  stand.clock.advance(1000);
  const ends = stand.told.filter((line) => line.includes('end'));
  assert.deepEqual(ends, ['a end@205', 'b end@1310', 'c end@1310', 'd end@2205']);
});

test('where reading a prompt stops the others, they get their tokens so much later, and prompts are read one by one', () => {
  const stand = new Stand({ slots: 3, prefillMs: 0, prefillTokensPerS: 1000, prefillStopsDecode: true });
  stand.submit('a', { output: 11 });
  stand.clock.advance(150);
  for (const name of ['b', 'c']) stand.submit(name, { output: 1 });
  stand.clock.advance(5000);
  // Half of the answer of `a` was there after 150 ms; the other half comes when both prompts have been read.
  assert.deepEqual(stand.told, ['a first@100', 'b first@250', 'c first@350', 'b end@350', 'c end@350', 'a end@400']);
});

test('no more run than the KV cache holds, except for one that is larger than all of it', () => {
  const stand = new Stand({ slots: 8, kvTokens: 250 });
  for (const name of ['a', 'b', 'c']) stand.submit(name);
  assert.deepEqual([stand.server.running, stand.server.waiting], [2, 1]);
  assert.equal(stand.server.metrics.kvUsage, 222 / 250);
  stand.clock.advance(1000);
  stand.submit('large', { prompt: 1000 });
  stand.clock.advance(1000);
  assert.equal(stand.told.at(-1), 'large end@1150');
});

test('what the prefix cache has of a prompt is not read again, until it is pushed out', () => {
  const stand = new Stand({ prefillMs: 0, prefillTokensPerS: 1000, prefixCacheTokens: 300 });
  const blocks = (...hashes: number[]): PromptBlocks => ({ blockTokens: 100, hashes: Uint32Array.from(hashes) });
  const ask = (name: string, prompt: PromptBlocks): void => {
    stand.submit(name, { prompt: 250, output: 1, blocks: prompt });
    stand.clock.advance(1000);
  };
  ask('a', blocks(1, 2));
  ask('b', blocks(1, 3));
  ask('c', blocks(1, 2));
  ask('d', blocks(7, 8, 9));
  ask('e', blocks(1, 2));
  const firsts = stand.told.filter((line) => line.includes('first'));
  assert.deepEqual(firsts, [
    'a first@250',
    'b first (100 cached)@1150',
    'c first (200 cached)@2050',
    'd first@3250',
    'e first@4250',
  ]);
});

test('of a prompt that is larger than the prefix cache its beginning is kept, and nothing outlives the server', () => {
  const stand = new Stand({ prefillMs: 0, prefillTokensPerS: 1000, prefixCacheTokens: 300 });
  const blocks: PromptBlocks = { blockTokens: 100, hashes: Uint32Array.of(1, 2, 3, 4) };
  const ask = (name: string): void => {
    stand.submit(name, { prompt: 450, output: 1, blocks });
    stand.clock.advance(1000);
  };
  ask('a');
  ask('b');
  stand.server.kill();
  stand.server.revive();
  ask('c');
  const firsts = stand.told.filter((line) => line.includes('first'));
  assert.deepEqual(firsts, ['a first@450', 'b first (300 cached)@1150', 'c first@2450']);
});

test('one that runs more from some time on takes those who wait, and one that runs fewer goes on with what it has', () => {
  const stand = new Stand({ slots: 1 });
  for (const name of ['a', 'b', 'c']) stand.submit(name);
  stand.server.resize(2);
  assert.deepEqual([stand.server.running, stand.server.waiting, stand.server.slots], [2, 1, 2]);
  stand.server.resize(1);
  stand.clock.advance(1000);
  assert.deepEqual(stand.told, ['a first@50', 'b first@50', 'a end@150', 'b end@150', 'c first@200', 'c end@300']);
});

test('who leaves gives up his slot, and hears nothing more', () => {
  const stand = new Stand({ slots: 1 });
  const a = stand.submit('a', { output: 1000 });
  stand.submit('b', { output: 1 });
  stand.clock.advance(100);
  stand.server.abort(a);
  stand.server.abort(a);
  stand.clock.advance(1000);
  assert.deepEqual(stand.told, ['a first@50', 'b first@150', 'b end@150']);
});

test('one that is killed loses all it had, and runs again when it is back', () => {
  const stand = new Stand({ slots: 1 });
  stand.submit('a');
  stand.submit('b');
  stand.clock.advance(60);
  stand.server.kill();
  assert.deepEqual([stand.server.isUp, stand.server.running, stand.server.waiting], [false, 0, 0]);
  stand.clock.advance(1000);
  stand.server.revive();
  stand.submit('c');
  stand.clock.advance(1000);
  assert.deepEqual(stand.told, ['a first@50', 'a 2@60', 'a killed@60', 'b killed@60', 'c first@1110', 'c end@1210']);
});

test('a slow one is slow from then on, and frozen metrics stay as they were', () => {
  const stand = new Stand();
  stand.submit('a');
  stand.clock.advance(100);
  stand.server.freezeMetrics(true);
  stand.server.slowDown(3);
  stand.clock.advance(1000);
  assert.deepEqual(stand.told, ['a first@50', 'a end@250']);
  assert.equal(stand.server.metrics.running, 1);
  stand.server.freezeMetrics(false);
  assert.equal(stand.server.metrics.running, 0);
});

test('noise makes sequences differ, by the same seed in the same way', () => {
  const ends = (): string[] => {
    const stand = new Stand({ slots: 8, noise: 0.3 });
    for (const name of ['a', 'b', 'c']) stand.submit(name);
    stand.clock.advance(2000);
    return stand.told.filter((line) => line.includes('end'));
  };
  assert.equal(new Set(ends().map((line) => line.split('@')[1])).size, 3);
  assert.deepEqual(ends(), ends());
});

test('whatever comes, leaves and breaks, every job has one ending, and nothing is left over', () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const random = seededRandom(seed);
    const slow = { batchSlowdown: 2, contextSlowdown: 2, noise: 0.5, prefillTokensPerS: 2000 };
    const stand = new Stand({ slots: 3, kvTokens: 500, ...slow });
    const jobs: ServerJob[] = [];
    let aborted = 0;
    for (let step = 0; step < 60; step += 1) {
      const dice = random();
      if (dice < 0.5) jobs.push(stand.submit(`j${jobs.length}`, { output: 1 + Math.floor(random() * 200) }));
      else if (dice < 0.6 && jobs.length > 0) {
        const before = stand.server.running + stand.server.waiting;
        stand.server.abort(jobs[Math.floor(random() * jobs.length)]!);
        if (stand.server.running + stand.server.waiting < before) aborted += 1;
      } else if (dice < 0.63) {
        stand.server.kill();
        stand.server.revive();
      } else if (dice < 0.7) stand.server.slowDown(1 + 3 * random());
      else stand.clock.advance(300 * random());
    }
    stand.clock.advance(10_000_000);
    const endings = stand.told.filter((line) => / (end|killed)@/.test(line));
    assert.equal(endings.length + aborted, jobs.length, `seed ${seed}`);
    assert.deepEqual(
      [stand.server.running, stand.server.waiting, stand.server.metrics.kvUsage],
      [0, 0, 0],
      `seed ${seed}`,
    );
    assert.equal(stand.clock.pendingAlarms, 0, `seed ${seed}`);
  }
});
