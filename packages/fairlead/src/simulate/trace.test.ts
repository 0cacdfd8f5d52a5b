// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadTrace } from './trace.ts';
import type { LoadedTrace } from './trace.ts';

describe('A trace', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'))));
  after(() => rm(folder, { recursive: true }));

  const load = async (...lines: readonly string[]): Promise<LoadedTrace> => {
    const file = path.join(folder, 'trace');
    await writeFile(file, lines.join('\n'));
    return loadTrace(file);
  };
  const messages = ({ problems = [] }: LoadedTrace): string[] =>
    problems.map(({ line, message }) => `${line} ${message}`);

  it('of `serve --record` is read in the order of its times, with what is missing filled in', async () => {
    const { requests } = await load(
      '{"fairleadTrace":1,"startedAt":"2026-01-01T00:00:00Z"}',
      '{"atMs":30,"tenant":"a","priority":2,"promptTokens":5,"outputTokens":10,"status":200}',
      '{"atMs":20,"tenant":"a","priority":2,"bytes":40,"status":429}',
      '{"atMs":45.5,"tenant":"b","promptTokens":7}',
    );
    assert.deepEqual(requests, [
      { atMs: 0, tenant: 'a', priority: 2, promptTokens: 10, outputTokens: 10 },
      { atMs: 10, tenant: 'a', priority: 2, promptTokens: 5, outputTokens: 10 },
      { atMs: 25.5, tenant: 'b', priority: undefined, promptTokens: 7, outputTokens: 100 },
    ]);
  });

  it('of Azure is read', async () => {
    const { requests } = await load(
      'TIMESTAMP,ContextTokens,GeneratedTokens\r',
      '2023-11-16 18:15:46.6805900,374,44\r',
      '2023-11-16 18:15:50.9951690,396,109\r',
      '',
    );
    assert.deepEqual(
      requests?.map(({ atMs, promptTokens, outputTokens }) => [atMs, promptTokens, outputTokens]),
      [
        [0, 374, 44],
        [4315, 396, 109],
      ],
    );
  });

  it('of Mooncake is read', async () => {
    const { requests } = await load(
      '{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}',
      '{"timestamp": 30535, "input_length": 6472, "output_length": 26, "hash_ids": [46]}',
    );
    assert.deepEqual(
      requests?.map(({ atMs, promptTokens, outputTokens }) => [atMs, promptTokens, outputTokens]),
      [
        [0, 6955, 52],
        [3053, 6472, 26],
      ],
    );
  });

  it('is refused with every wrong line, what is wrong with it and what is allowed', async () => {
    const wrong = await load(
      '{"fairleadTrace":1}',
      '{"atMs":-1,"tenant":"a"}',
      '{"atMs":1,"tenant":""}',
      'nonsense',
      '{"atMs":1,"tenant":"a","outputTokens":1e12}',
      '{"atMs":1,"tenant":"a","priority":1.5}',
      '{"atMs":1,"tenant":"a","outputTokens":5}',
    );
    assert.deepEqual(messages(wrong), [
      '2 atMs: must be a number from 0 to 9007199254740991, got -1',
      '3 tenant: must be a name, got ""',
      '4 is not JSON',
      '5 outputTokens: must be a number from 0 to 10000000, got 1000000000000',
      '6 priority: must be an integer, got 1.5',
    ]);
    assert.match(messages(await load('TIMESTAMP,ContextTokens')).join(), /^1 has no column GeneratedTokens$/);
    assert.match(
      messages(await load('TIMESTAMP,ContextTokens,GeneratedTokens', 'soon,1,2')).join(),
      /^2 TIMESTAMP: must be a time/,
    );
    assert.match(messages(await load('{"a":1}')).join(), /^1 is the beginning of no known trace/);
    assert.deepEqual(messages(await load('')), ['1 has no request in it']);
    assert.match((await loadTrace(path.join(folder, 'nowhere'))).problems![0]!.message, /there is no such file/);
  });
});
