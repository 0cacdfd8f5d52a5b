// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import { PluginRegistry } from '../plugin-registry/registry.ts';
import { instanceOf } from '../testing/plugin-instance.ts';
import {
  approxPrefixCacheProducer,
  builtins,
  singleProfileHandler,
  virtualTokenCounterFairnessPolicy,
} from './index.ts';

test('all plugins in the box fit in one registry, under names of their own', () => {
  const registry = new PluginRegistry(builtins);
  for (const definition of builtins) assert.equal(registry.get(definition.type), definition);
});

test('every plugin in the box can be made from its defaults, unless it needs to be told something', () => {
  const others = [instanceOf(approxPrefixCacheProducer), instanceOf(virtualTokenCounterFairnessPolicy)];
  for (const definition of builtins) {
    const needs = Object.values(definition.parameters).some(({ required }) => required === true);
    if (!needs) assert.equal(instanceOf(definition, { others }).type, definition.type);
  }
});

test('the single profile handler refuses any other number of profiles', () => {
  const handler = instanceOf(singleProfileHandler);
  assert.throws(() => handler.check([]), /exactly one scheduling profile, not 0/);
});
