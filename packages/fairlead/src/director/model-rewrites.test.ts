// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@fairlead/core/testing';
import { loadConfig } from '../config/load.ts';
import { problemLine } from '../config/config-problem.ts';
import { ModelRewrites } from './model-rewrites.ts';

const targets = (...weights: (number | undefined)[]) =>
  weights.map((weight, index) => ({ modelRewrite: `t${index}`, weight }));

/** How often each target is drawn in a thousand. */
function shares(...weights: (number | undefined)[]): number[] {
  const rule = { name: 'r', models: ['m'], targets: targets(...weights) };
  const rewrites = new ModelRewrites([rule], seededRandom(7));
  const counts = weights.map(() => 0);
  for (let draw = 0; draw < 1000; draw += 1) {
    const { target = '' } = rewrites.choose('m') ?? {};
    counts[Number(target.slice(1))]! += 1;
  }
  return counts;
}

describe('Model rewrites', () => {
  it('draw targets in proportion to their weights, alike without any, and never one that alone has none', () => {
    const [most = 0, least = 0] = shares(900, 100);
    assert.ok(Math.abs(most - 900) < 40 && most + least === 1000, `${most}`);
    for (const count of shares(undefined, undefined, undefined, undefined)) assert.ok(Math.abs(count - 250) < 60);
    assert.deepEqual(shares(undefined, 5), [0, 1000]);
  });

  it('prefer a rule for the very name to one for all, and any rule to a header', () => {
    const exact = { name: 'exact', models: ['a'], targets: [{ modelRewrite: 'x' }] };
    const all = { name: 'all', models: [], targets: [{ modelRewrite: 'y' }] };
    const both = new ModelRewrites([all, exact], () => 0);
    assert.deepEqual(both.choose('a', 'h'), { target: 'x', rewrite: 'exact' });
    assert.deepEqual(both.choose('b'), { target: 'y', rewrite: 'all' });
    assert.deepEqual(both.choose(undefined), { target: 'y', rewrite: 'all' });
    const one = new ModelRewrites([exact], () => 0);
    assert.deepEqual(one.choose('b', 'h'), { target: 'h' });
    assert.equal(one.choose('b'), undefined);
    assert.equal(one.choose('h', 'h'), undefined);
  });

  it('are read from the file; what would never happen is a mistake or a warning', async () => {
    const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nmodelRewrites:\n';
    const rule = (name: string, model: string, rest: string) =>
      `  - {name: ${name}, matches: [{model: {value: ${model}}}], targets: [${rest}]}\n`;
    const good = await loadConfig({
      text: head + rule('a', 'm', '{modelRewrite: x, weight: 3}, {modelRewrite: y}'),
      defaults: 'serve',
    });
    assert.deepEqual(good.ok?.modelRewrites, [
      {
        name: 'a',
        models: ['m'],
        targets: [
          { modelRewrite: 'x', weight: 3 },
          { modelRewrite: 'y', weight: undefined },
        ],
      },
    ]);
    assert.match(
      good.warnings.map(problemLine).join('\n'),
      /target 'y' has no weight and others have, so it is never chosen/,
    );
    const text = head + rule('a', 'm', '{modelRewrite: x}') + rule('a', 'm', '');
    const { problems = [] } = await loadConfig({ text, defaults: 'serve' });
    const told = problems.map(problemLine).join('\n');
    assert.match(told, /duplicate model rewrite 'a'/);
    assert.match(told, /another rule is for model 'm' already/);
    assert.match(told, /modelRewrites\[1\]\.targets: must have at least one target/);
  });
});
