// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { understandBody } from './understand-body.ts';
import type { UnderstoodBody } from './understand-body.ts';

function bodyOf(...texts: string[]) {
  const chunks = texts.map((text) => Buffer.from(text));
  return { chunks, sizeBytes: chunks.reduce((sum, { length }) => sum + length, 0) };
}

/** A director that sends what is for `a` to `b`, and wants prompts for `b` hashed. */
function understanding(isAnswered = (): boolean => false) {
  const wished: (string | undefined)[] = [];
  const told: (UnderstoodBody | { readonly message: string })[] = [];
  const director = {
    rewriteOf: (model: string | undefined) => (model === 'a' ? { target: 'b' } : undefined),
    promptWish: (model: string | undefined) => {
      wished.push(model);
      return model === 'b' ? { blockBytes: 64, maxBytes: 1024 } : undefined;
    },
  };
  const options = { family: 'completions', director, modelRewrite: undefined, isAnswered } as const;
  return {
    wished,
    told,
    take: (body: ReturnType<typeof bodyOf>) => understandBody(body, options, (it) => told.push(it)),
  };
}

describe('what a body says', () => {
  it('is told at once of a short one, which goes on as it came', () => {
    const { told, wished, take } = understanding();
    const body = bodyOf('{"model":"c","prompt":"x",', '"max_tokens":7}');
    take(body);
    const understood = told[0] as UnderstoodBody;
    assert.partialDeepStrictEqual(understood.facts, { model: 'c', maxTokens: 7 });
    assert.equal(understood.sent, body);
    assert.deepEqual([understood.rewritten, understood.prefix, wished], [undefined, undefined, ['c']]);
  });

  it('goes with the model that it is sent for, for which its prompt is hashed as it came', () => {
    const prompt = 'x'.repeat(200);
    const { told, wished, take } = understanding();
    take(bodyOf(`{"model":"a","prompt":"${prompt}"}`));
    take(bodyOf(`{"model":"b","prompt":"${prompt}"}`));
    const [renamed, named] = told as UnderstoodBody[];
    assert.equal(Buffer.concat(renamed!.sent.chunks).toString(), `{"model":"b","prompt":"${prompt}"}`);
    assert.deepEqual([renamed?.facts.model, renamed?.rewritten], ['a', { target: 'b' }]);
    assert.deepEqual(wished, ['b', 'b']);
    assert.notEqual(renamed?.prefix, undefined);
    assert.deepEqual(renamed?.prefix, named?.prefix);
  });

  it('is what is wrong with one that is malformed', () => {
    const { told, wished, take } = understanding();
    take(bodyOf('{"model":'));
    assert.match((told[0] as { message: string }).message, /\w/);
    assert.deepEqual(wished, []);
  });

  it('takes a turn for each part of a long one, and is not told when nobody waits for it any more', async () => {
    let isAnswered = false;
    const long = bodyOf('{"model":"c","prompt":"', ...Array.from({ length: 4 }, () => 'x'.repeat(100_000)), '"}');
    const patient = understanding();
    const gone = understanding(() => isAnswered);
    patient.take(long);
    gone.take(long);
    assert.deepEqual([patient.told.length, gone.told.length], [0, 0]);
    isAnswered = true;
    while (patient.told.length === 0) await turn();
    await turn();
    assert.equal(gone.told.length, 0);
  });
});
