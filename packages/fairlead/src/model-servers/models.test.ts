// SPDX-License-Identifier: Apache-2.0

/** What endpoints say they serve: read from untrusted lists, asked again, and kept when asking fails. */

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Endpoint } from '@fairlead/core';
import { VirtualClock } from '@fairlead/core/testing';
import fc from 'fast-check';
import { Loopback } from '../../../../test/kit/loopback.ts';
import { WatchedGetter } from '../../../../test/kit/watched-getter.ts';
import { MAX_LIST_BYTES, readModelList } from './model-list.ts';
import { Models, MODELS_INTERVAL_MS, TELL_WITHIN_MS } from './models.ts';
import { Problems } from './problems.ts';

const loopback = new Loopback();

afterEach(() => loopback.end());

function list(...data: unknown[]): string {
  return JSON.stringify({ object: 'list', data });
}

describe('a model list', () => {
  const read = (text: string) => readModelList(Buffer.from(text));

  it('of vLLM tells base models from adapters by their parent', () => {
    const lists = list(
      { id: 'llama', root: 'meta/llama', parent: null },
      { id: 'alias', root: 'meta/llama', parent: null },
      { id: 'lora', root: 'x', parent: 'llama' },
    );
    assert.deepEqual(read(lists), { baseModels: ['llama', 'alias'], adapters: ['lora'] });
  });

  it('of llama.cpp has one base model', () => {
    assert.deepEqual(read(list({ id: '/models/a b.gguf', meta: {} })), {
      baseModels: ['/models/a b.gguf'],
      adapters: [],
    });
  });

  for (const [what, text, problem] of [
    ['is not JSON', '<html>', 'its /v1/models is not JSON'],
    ['is not UTF-8', '{"data":[{"id":"\xff"}]}', 'its /v1/models is not JSON'],
    ['has no list', '{"data":{}}', 'its /v1/models has no list `data`'],
    ['is null', 'null', 'its /v1/models has no list `data`'],
    ['is empty', list(), 'its /v1/models lists nothing'],
    [
      'is too long',
      list(...Array.from({ length: 1001 }, () => ({ id: 'x' }))),
      'its /v1/models lists 1001 models; at most 1000 are read',
    ],
  ] as const) {
    it(`is refused when it ${what}`, () => {
      assert.deepEqual(readModelList(Buffer.from(text, 'latin1')), { problem });
    });
  }

  it('is refused when an id is missing, too long or not printable', () => {
    for (const id of [undefined, 7, '', 'x'.repeat(257), 'a\nb', 'a\u200eb', 'a\u2028b']) {
      assert.deepEqual(read(list({ id: 'fine' }, { id })), {
        problem: 'its /v1/models has an id at data[1] that is not 1 to 256 printable characters',
      });
    }
  });

  it('never throws, whatever it is', () => {
    fc.assert(fc.property(fc.json(), (text) => void read(`{"data":[${text}]}`)));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void readModelList(bytes)));
  });
});

function asking(url: string) {
  const clock = new VirtualClock();
  const getter = new WatchedGetter(clock, loopback);
  const changes: string[] = [];
  const models = new Models({
    getter,
    clock,
    random: () => 0.5,
    problems: new Problems(),
    onChange: ({ baseModels, adapters }) => void changes.push([...baseModels, ...adapters].join()),
  });
  loopback.atEnd(() => models.stop());
  const endpoint = new Endpoint({ name: 'a', url, labels: {} });
  models.add(endpoint);
  const told = async (afterMs: number): Promise<void> => {
    clock.advance(afterMs);
    await getter.answer();
  };
  return { clock, getter, changes, models, endpoint, told };
}

describe('asking for models', () => {
  it('tells of a list once, and of an adapter that comes within a minute', async () => {
    const served: unknown[] = [{ id: 'm' }];
    const { changes, models, endpoint, told } = asking(
      await loopback.http((_request, response) => void response.end(list(...served))),
    );
    assert.equal(models.allTold, false);
    await told(0);
    assert.equal(models.allTold, true);
    await told(MODELS_INTERVAL_MS);
    served.push({ id: 'lora', parent: 'm' });
    await told(MODELS_INTERVAL_MS);
    assert.deepEqual(changes, ['m', 'm,lora']);
    assert.ok(endpoint.serves('lora'));
  });

  it('asks again soon while there never was an answer, with growing pauses, and at once when the endpoint is back', async () => {
    let status = 500;
    const { clock, getter, models, endpoint, told } = asking(
      await loopback.http((_request, response) => void response.writeHead(status).end(list({ id: 'm' }))),
    );
    await told(0);
    assert.equal(endpoint.problem, 'answers 500 to /v1/models');
    await told(500);
    await told(1000);
    clock.advance(1999);
    assert.equal(getter.asked.length, 3);
    endpoint.up = false;
    clock.advance(1);
    assert.equal(getter.asked.length, 3, 'nothing is asked of an endpoint that is down');
    endpoint.up = true;
    status = 200;
    models.askNow(endpoint);
    await told(0);
    assert.ok(endpoint.serves('m'));
    assert.equal(endpoint.problem, undefined);
  });

  it('waits a minute at most for the models of an endpoint that never tells', async () => {
    const { clock, models, told } = asking(
      await loopback.http((_request, response) => void response.writeHead(503).end()),
    );
    await told(0);
    clock.advance(TELL_WITHIN_MS - 1);
    assert.equal(models.allTold, false);
    clock.advance(1);
    assert.equal(models.allTold, true);
  });

  it('keeps the last list when asking fails later', async () => {
    let body = list({ id: 'm' });
    const { endpoint, changes, models, told } = asking(
      await loopback.http((_request, response) => void response.end(body)),
    );
    await told(0);
    body = 'nonsense';
    await told(MODELS_INTERVAL_MS);
    assert.equal(endpoint.problem, 'its /v1/models is not JSON');
    body = ' '.repeat(MAX_LIST_BYTES + 1);
    await told(MODELS_INTERVAL_MS);
    assert.match(endpoint.problem ?? '', /larger than 1048576 bytes/);
    assert.ok(endpoint.serves('m'));
    assert.equal(models.allTold, true);
    assert.deepEqual(changes, ['m']);
  });
});
