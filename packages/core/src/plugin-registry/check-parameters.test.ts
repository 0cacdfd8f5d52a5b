// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkParameters, halfCheckParameters } from './check-parameters.ts';
import type { ParameterSpecs } from './parameters.ts';
import type { Problem } from './problem.ts';
import { dotted } from './problem.ts';
import { renderParameters } from './render-parameters.ts';

const specs = {
  count: { type: 'integer', default: 3, min: 1, max: 10, doc: 'A count.' },
  share: { type: 'number', default: 0.5, min: 0, exclusiveMin: true, max: 1, doc: 'A share.' },
  wait: { type: 'duration', default: 1_000, doc: 'A time.' },
  size: { type: 'quantity', doc: 'A size.' },
  mode: { type: 'string', choices: ['fast', 'slow'], default: 'fast', doc: 'A mode.' },
  secret: { type: 'string', hidden: true, pattern: { test: /^[a-f]+$/, allowed: 'letters a to f' }, doc: 'A secret.' },
  on: { type: 'boolean', default: false, doc: 'A switch.' },
  policy: { type: 'plugin-ref', kind: 'fairness', doc: 'A policy.' },
  tags: { type: 'map', default: {}, doc: 'Tags.' },
  inner: {
    type: 'object',
    default: {},
    doc: 'More.',
    fields: { depth: { type: 'integer', default: 7, doc: 'A depth.' } },
  },
  list: {
    type: 'list',
    default: [],
    doc: 'Items.',
    of: { type: 'object', doc: 'An item.', fields: { id: { type: 'string', required: true, doc: 'An id.' } } },
  },
} as const satisfies ParameterSpecs;

function problemsOf(given: unknown): string[] {
  const { problems = [] } = checkParameters(specs, given, ['p']);
  return problems.map(({ path, message }) => `${dotted(path)}: ${message}`);
}

describe('checking parameters', () => {
  it('fills in every default, nested ones included, and takes null for not given', () => {
    const expected = {
      count: 3,
      share: 0.5,
      wait: 1_000,
      size: undefined,
      mode: 'fast',
      secret: undefined,
      on: false,
      policy: undefined,
      tags: {},
      inner: { depth: 7 },
      list: [],
    };
    assert.deepEqual(checkParameters(specs, undefined).values, expected);
    assert.deepEqual(checkParameters(specs, { count: null, inner: null, list: null }).values, expected);
  });

  it('reads durations and quantities into numbers', () => {
    const { values } = checkParameters(specs, { wait: '1m', size: '2Ki', inner: { depth: 1 }, list: [{ id: 'a' }] });
    assert.deepEqual(
      [values?.wait, values?.size, values?.inner, values?.list],
      [60_000, 2_048, { depth: 1 }, [{ id: 'a' }]],
    );
  });

  it('finds every problem and says for each what is allowed', () => {
    const given = {
      count: 11,
      share: 0,
      wait: 5,
      size: '-1',
      mode: 'fats',
      on: 'yes',
      policy: 3,
      tags: { a: 1 },
      inner: [],
      list: [{}, null, 'x'],
      cuont: 1,
    };
    assert.deepEqual(problemsOf(given), [
      'p.cuont: unknown field "cuont"; did you mean `count`?',
      'p.count: must be an integer, at least 1 and at most 10, got 11',
      'p.share: must be a number, more than 0 and at most 1, got 0',
      'p.wait: must be a duration such as `500ms` or `1m30s`, got 5 (a duration needs its unit)',
      'p.size: must be a quantity such as `5000`, `500k` or `512Mi`, got "-1"',
      'p.mode: must be one of `fast`, `slow`, got "fats"; did you mean `fast`?',
      'p.on: must be `true` or `false`, got "yes"; did you mean `true`?',
      'p.policy: must be the name of a fairness policy, got 3 (put it in quotes to make it a text)',
      'p.tags.a: must be a text, got 1 (put it in quotes to make it a text)',
      'p.inner: must be a mapping, got an empty list',
      'p.list[0].id: is missing; required is a text',
      'p.list[1]: is empty; allowed is a mapping',
      'p.list[2]: must be a mapping, got "x"',
    ]);
  });

  it('never repeats a hidden value', () => {
    const { problems = [] } = checkParameters(specs, { secret: 'sk-12345' });
    assert.equal(problems.length, 1);
    assert.ok(!JSON.stringify(problems).includes('12345'));
  });

  it('refuses what is not a mapping', () => {
    for (const given of ['x', 1, true, []]) assert.equal(problemsOf(given).length, 1);
  });

  it('keeps what is good in spite of problems when asked to', () => {
    const problems: Problem[] = [];
    const values = halfCheckParameters(
      specs,
      { count: 'many', mode: 'slow', list: [{ id: 1 }, { id: 'b' }] },
      { path: [], problems },
    );
    assert.equal(problems.length, 2);
    assert.deepEqual([values.count, values.mode, values.list], [3, 'slow', [{ id: undefined }, { id: 'b' }]]);
  });

  it('gives all values or all problems for anything at all', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record({ count: fc.jsonValue(), list: fc.jsonValue(), inner: fc.jsonValue() })),
        (given) => {
          const { values, problems } = checkParameters(specs, given);
          assert.notEqual(values === undefined, problems === undefined);
        },
      ),
    );
  });

  it('reads back what it wrote', () => {
    const given = { count: 2, share: 1, wait: '1m30s', size: '3Ki', tags: { a: 'b' }, list: [{ id: 'x' }] };
    const { values } = checkParameters(specs, given);
    assert.deepEqual(checkParameters(specs, renderParameters(specs, values!)).values, values);
  });
});
