// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { DROPS } from '@fairlead/core';
import { BODY_SHAPES } from '../packages/fairlead/src/gateway/protocol/body-shapes.ts';
import { Routes } from '../packages/fairlead/src/gateway/routes.ts';
import type { InferenceRoute } from '../packages/fairlead/src/gateway/routes.ts';

const page = readFileSync(path.join(import.meta.dirname, '../docs/http.md'), 'utf8');

test('docs/http.md has every path that is relayed, and no other', () => {
  const table = page.slice(page.indexOf('## Paths'), page.indexOf('`gateway.relayedPaths`'));
  const onPage = [...table.matchAll(/(?:POST )?(\/[a-z0-9/_]+)`/g)].map(([, found]) => found!);
  const posted = onPage.filter((found) => found !== '/v1/models');
  const routes = new Routes([]);
  for (const found of posted) assert.equal(routes.find('POST', found).kind, 'inference', found);
  assert.deepEqual([...posted].sort(), [...routes.inferencePaths].sort());
});

test('docs/http.md says of each path whose errors it gives, what makes sequences of it and what limits its answer', () => {
  const table = page.slice(page.indexOf('## Paths'), page.indexOf('## Request headers'));
  const rows = table.split('\n').filter((line) => line.startsWith('| `POST'));
  const apis = { OpenAI: ['openai', 'responses'], Anthropic: ['anthropic'], vLLM: ['vllm'], SGLang: ['sglang'] };
  const routes = new Routes([]);
  for (const row of rows) {
    const [, paths = '', api = '', sequences = '', limits = ''] = row.split('|').map((cell) => cell.trim());
    for (const [, path = ''] of paths.matchAll(/(\/[a-z0-9/_]+)`/g)) {
      const route = routes.find('POST', path) as InferenceRoute;
      assert.ok(apis[api as keyof typeof apis].includes(route.api), path);
      const { lists = [], samples, limits: names = [], limitsInSampling } = BODY_SHAPES[route.family];
      const n = samples === undefined ? [] : [samples === 'outermost' ? 'n' : 'sampling_params.n'];
      const told = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
      assert.deepEqual(told(sequences), [...n, ...lists], path);
      assert.deepEqual(told(limits), limitsInSampling ? names.map((name) => `sampling_params.${name}`) : names, path);
    }
  }
});

test('docs/http.md has every reason for which a request is dropped', () => {
  for (const drop of Object.values(DROPS)) {
    if ('reason' in drop) assert.ok(page.includes(`\`${drop.reason}\``), drop.reason);
  }
});
