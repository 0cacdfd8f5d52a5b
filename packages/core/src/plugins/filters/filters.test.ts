// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Endpoint } from '../../endpoints/endpoint.ts';
import { Pool } from '../../endpoints/pool.ts';
import { FlowController } from '../../flow-control/flow-controller.ts';
import type { Settled } from '../../flow-control/settled.ts';
import { PluginError } from '../../plugin-registry/plugin.ts';
import type { InferenceRequest } from '../../request/inference-request.ts';
import type { Filter } from '../../scheduling/contracts.ts';
import { PoolPlacement } from '../../scheduling/pool-placement.ts';
import { Scheduler } from '../../scheduling/scheduler.ts';
import { flowControlConfig } from '../../testing/flow-control-kit.ts';
import { instanceOf } from '../../testing/plugin-instance.ts';
import { VirtualClock } from '../../testing/virtual-clock.ts';
import { maxScorePicker } from '../pickers/max-score-picker.ts';
import { singleProfileHandler } from '../profile-handlers/single-profile-handler.ts';
import { concurrencyDetector } from '../saturation/concurrency-detector.ts';
import { byLabelSelector } from './by-label-selector.ts';
import { byLabel } from './by-label.ts';
import { decodeFilter } from './decode-filter.ts';
import { encodeFilter } from './encode-filter.ts';
import { labelSelectorFilter } from './label-selector-filter.ts';
import { prefillFilter } from './prefill-filter.ts';

const request: InferenceRequest = {
  ...{ id: 'r', fairnessId: 'a', priority: 0, model: 'm', targetModel: 'm' },
  ...{ sizeBytes: 1, sequences: 1, receivedMs: 0 },
};

type Labels = Readonly<Record<string, string>>;

function endpoint(name: string, labels: Labels): Endpoint {
  return new Endpoint({ name, url: 'http://e.test', labels });
}

function kept(filter: Filter, endpoints: readonly Endpoint[]): string[] {
  return filter.filter(request, endpoints).map(({ name }) => name);
}

const roles = [
  ...['decode', 'prefill', 'encode', 'encode-prefill', 'prefill-decode', 'both', 'encode-prefill-decode', 'cook'],
].map((role) => endpoint(role, { 'llm-d.ai/role': role }));
const everyRole = [...roles, endpoint('unlabelled', { zone: 'a' })];

test('the decode filter keeps servers that decode and those without a role', () => {
  const expected = ['decode', 'prefill-decode', 'both', 'encode-prefill-decode', 'unlabelled'];
  assert.deepEqual(kept(instanceOf(decodeFilter), everyRole), expected);
});

test('the prefill filter keeps servers that prefill', () => {
  const expected = ['prefill', 'encode-prefill', 'prefill-decode', 'both', 'encode-prefill-decode'];
  assert.deepEqual(kept(instanceOf(prefillFilter), everyRole), expected);
});

test('the encode filter keeps servers that encode', () => {
  const expected = ['encode', 'encode-prefill', 'encode-prefill-decode'];
  assert.deepEqual(kept(instanceOf(encodeFilter), everyRole), expected);
});

const zones = [endpoint('a', { zone: 'a', gpu: 'h100' }), endpoint('b', { zone: 'b' }), endpoint('none', {})];

function selected(parameters: Readonly<Record<string, unknown>>): string {
  return kept(instanceOf(labelSelectorFilter, { parameters }), zones).join(' ');
}

const expression = (operator: string, values: readonly string[] = [], key = 'zone') => ({
  matchExpressions: [{ key, operator, values }],
});

test('the label selector filter keeps what has all the labels', () => {
  assert.equal(selected({ matchLabels: { zone: 'a' } }), 'a');
  assert.equal(selected({ matchLabels: { zone: 'b', gpu: 'h100' } }), '');
});

test('the label selector filter knows the four operators of Kubernetes', () => {
  assert.equal(selected(expression('In', ['b', 'c'])), 'b');
  assert.equal(selected(expression('NotIn', ['b', 'c'])), 'a none');
  assert.equal(selected(expression('Exists')), 'a b');
  assert.equal(selected(expression('DoesNotExist')), 'none');
});

test('the label selector filter wants everything it is told at once', () => {
  assert.equal(selected({ matchLabels: { zone: 'a' }, ...expression('DoesNotExist', [], 'gpu') }), '');
  assert.equal(selected({ matchLabels: { zone: 'b' }, ...expression('DoesNotExist', [], 'gpu') }), 'b');
});

test('the label selector filter that asks for nothing keeps all', () => {
  assert.equal(selected({}), 'a b none');
});

test('the label selector filter takes no inherited property for a label', () => {
  assert.equal(selected(expression('Exists', [], 'constructor')), '');
});

test('the label selector filter refuses operators with values they do not take, and without those they need', () => {
  for (const operator of ['In', 'NotIn']) assert.throws(() => selected(expression(operator)), /needs at least one/);
  for (const operator of ['Exists', 'DoesNotExist'])
    assert.throws(() => selected(expression(operator, ['a'])), PluginError);
});

test('the older name of the label selector filter means the same', () => {
  const filter = instanceOf(byLabelSelector, { parameters: { matchLabels: { zone: 'a' } } });
  assert.equal(filter.type, 'by-label-selector');
  assert.deepEqual(kept(filter, zones), ['a']);
});

test('the by-label filter keeps the values it is told, and what has no label when that is allowed', () => {
  const by = (parameters: Readonly<Record<string, unknown>>) =>
    kept(instanceOf(byLabel, { parameters: { label: 'zone', ...parameters } }), zones).join(' ');
  assert.equal(by({ validValues: ['b', 'c'] }), 'b');
  assert.equal(by({ validValues: ['b'], allowsNoLabel: true }), 'b none');
  assert.equal(by({ allowsNoLabel: true }), 'none');
  assert.throws(() => by({}), /`validValues` must have at least one value, or `allowsNoLabel` must be true/);
  assert.throws(() => by({ label: '', allowsNoLabel: true }), /`label` must name a label/);
});

test('an operator and its opposite split any endpoints into two, in order', () => {
  const key = fc.constantFrom('zone', 'gpu');
  const value = fc.constantFrom('a', 'b', 'c');
  const labels = fc.array(fc.dictionary(key, value), { maxLength: 8 });
  fc.assert(
    fc.property(labels, key, fc.uniqueArray(value, { minLength: 1 }), (given, name, values) => {
      const endpoints = given.map((one, index) => endpoint(String(index), one));
      for (const [operator, opposite, listed] of [
        ['In', 'NotIn', values],
        ['Exists', 'DoesNotExist', []],
      ] as const) {
        const [yes, no] = [operator, opposite].map((each) =>
          kept(instanceOf(labelSelectorFilter, { parameters: expression(each, listed, name) }), endpoints),
        ) as [string[], string[]];
        const all = endpoints.map(({ name: each }) => each);
        assert.deepEqual(
          all.filter((each) => yes.includes(each)),
          yes,
        );
        assert.deepEqual([...yes, ...no].sort(), [...all].sort());
      }
    }),
  );
});

test('a request that the filters leave no endpoint waits, and goes when one comes that fits', () => {
  const clock = new VirtualClock();
  const pool = new Pool('m');
  const [prefill, decode] = ['prefill', 'decode'].map((role) => {
    const made = endpoint(role, { 'llm-d.ai/role': role });
    made.baseModels = new Set(['m']);
    return made;
  }) as [Endpoint, Endpoint];
  pool.setEndpoints([prefill]);
  const filters = [instanceOf(decodeFilter)];
  const profiles = [{ name: 'default', filters, scorers: [], picker: instanceOf(maxScorePicker) }];
  const chooser = new Scheduler({ handler: instanceOf(singleProfileHandler), profiles });
  const placement = new PoolPlacement({ pool, detector: instanceOf(concurrencyDetector), chooser, clock });
  const controller = new FlowController({ config: flowControlConfig(), placement, clock });
  const settled: Settled[] = [];
  controller.enqueue(request, (one) => settled.push(one));
  clock.settle();
  assert.deepEqual(settled, []);
  pool.setEndpoints([prefill, decode]);
  clock.settle();
  assert.deepEqual([settled.length, prefill.inFlight, decode.inFlight], [1, 0, 1]);
});
