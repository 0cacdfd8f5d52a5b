// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { problemLine } from './config-problem.ts';
import type { DefaultSet } from './defaults.ts';
import { loadConfig } from './load.ts';
import type { ResolvedConfig } from './resolved.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

function golden(name: string): string {
  return path.join(import.meta.dirname, 'golden', name);
}

async function load(text: string | undefined, defaults: DefaultSet = 'serve'): Promise<ResolvedConfig> {
  const loaded = await loadConfig(text === undefined ? { defaults } : { text, defaults });
  assert.deepEqual(loaded.problems, undefined);
  return loaded.ok;
}

/** A configuration with instances as their names, for comparing two of them. */
function plain(config: ResolvedConfig | undefined): unknown {
  const names = (_: string, value: unknown) =>
    typeof value === 'object' && value !== null && 'type' in value && 'name' in value
      ? `${String(value.type)} ${String(value.name)}`
      : value;
  return JSON.parse(JSON.stringify(config, names));
}

async function messages(text: string, defaults: DefaultSet = 'serve'): Promise<string[]> {
  const { problems = [] } = await loadConfig({ text: `${head}${text}`, defaults, textName: 'f' });
  return problems.map(problemLine);
}

describe("a file of the reference's", () => {
  it('means the same here with the reference set of defaults', async () => {
    const { ok, warnings } = await loadConfig({ file: golden('reference.yaml'), defaults: 'reference' });
    assert.deepEqual(warnings, []);
    const { flowControl, scheduling, detector, metricsSource, fileDiscovery, flowControlEnabled } = ok!;
    assert.equal(flowControlEnabled, true);
    const { maxBytes, maxRequests, defaultRequestTtlMs, noEndpointRequestTtlMs } = flowControl;
    assert.deepEqual(
      [maxBytes, maxRequests, defaultRequestTtlMs, noEndpointRequestTtlMs],
      [2 ** 30, 10_000, 90_000, 90_000],
    );
    const bands = [flowControl.defaultBand, flowControl.defaultNegativeBand, ...flowControl.bands];
    assert.deepEqual(
      bands.map((band) => [band.maxBytes, band.maxRequests, band.maxFlowShare, band.fairness.name, band.ordering.name]),
      [
        [1e9, 2_000, 1, 'fair', 'fcfs-ordering-policy'],
        [1e8, 5_000, 1, 'global-strict-fairness-policy', 'fcfs-ordering-policy'],
        [1e9, 2_000, 1, 'fair', 'by-deadline'],
        [5e8, 5_000, 1, 'global-strict-fairness-policy', 'fcfs-ordering-policy'],
      ],
    );
    assert.deepEqual(
      flowControl.bands.map(({ priority }) => priority),
      [100, -10],
    );
    assert.deepEqual([detector.name, detector.type], ['full', 'utilization-detector']);
    const [profile] = scheduling.profiles;
    assert.deepEqual(
      profile?.scorers.map(({ scorer, weight }) => [scorer.name, weight]),
      [
        ['queue-scorer', 2.5],
        ['kv-cache-utilization-scorer', 1],
        ['busy', 1],
      ],
    );
    assert.equal(profile?.picker.type, 'max-score-picker');
    assert.deepEqual(fileDiscovery, { path: 'endpoints.yaml', watchFile: true });
    assert.deepEqual(
      [metricsSource?.intervalMs, metricsSource?.port, metricsSource?.defaultEngine],
      [100, 9_100, 'vllm'],
    );
  });

  it('shares one policy instance between the bands that name it', async () => {
    const { ok } = await loadConfig({ file: golden('reference.yaml'), defaults: 'reference' });
    assert.equal(ok?.flowControl.bands[0]?.fairness, ok?.flowControl.defaultBand.fairness);
  });

  it('of the old API group loads with its deprecated fields, and says that they are', async () => {
    const { ok, warnings } = await loadConfig({ file: golden('old-group.yaml'), defaults: 'reference' });
    assert.equal(ok?.flowControlEnabled, false);
    assert.equal(ok.detector.type, 'concurrency-detector');
    assert.deepEqual(
      warnings.map(({ line, path: at, message }) => `${line} ${at}: ${message}`),
      [
        '1 apiVersion: is deprecated: use `llm-d.ai/v1alpha1`',
        '10 saturationDetector: is deprecated: use flowControl.saturationDetector',
        '12 parser: is deprecated: use requestHandler.parsers',
      ],
    );
  });

  it('without profiles gets one of everything it configures, detectors included', async () => {
    const { ok } = await loadConfig({ file: golden('old-group.yaml'), defaults: 'reference' });
    const [profile] = ok!.scheduling.profiles;
    assert.equal(profile?.name, 'default');
    assert.deepEqual(
      profile.filters.map(({ type }) => type),
      ['concurrency-detector'],
    );
    assert.deepEqual(
      profile.scorers.map(({ scorer, weight }) => [scorer.type, weight]),
      [
        ['queue-scorer', 1],
        ['kv-cache-utilization-scorer', 1],
      ],
    );
    assert.equal(profile.picker.type, 'random-picker');
    assert.equal(ok?.scheduling.handler.type, 'single-profile-handler');
  });

  it('that says nothing gets the defaults of the reference', async () => {
    const { flowControl, detector, flowControlEnabled, metricsSource } = await load(head, 'reference');
    assert.equal(flowControlEnabled, false);
    assert.equal(detector.type, 'utilization-detector');
    assert.equal(flowControl.defaultBand.fairness.type, 'global-strict-fairness-policy');
    assert.equal(flowControl.defaultBand.ordering.type, 'fcfs-ordering-policy');
    assert.equal(flowControl.usageLimit.type, 'static-usage-limit-policy');
    assert.deepEqual([flowControl.maxBytes, flowControl.maxRequests], [Infinity, Infinity]);
    assert.deepEqual([flowControl.defaultRequestTtlMs, flowControl.noEndpointRequestTtlMs], [60_000, 60_000]);
    assert.equal(metricsSource?.intervalMs, 50);
  });

  it('keeps the meaning of 0: no limit over all bands, no end of a wait, and the default in a band', async () => {
    const zeros =
      'flowControl: {maxBytes: 0, maxRequests: "0", defaultRequestTTL: 0s, defaultPriorityBand: {maxBytes: 0}}';
    const { flowControl } = await load(head + zeros, 'reference');
    assert.deepEqual([flowControl.maxBytes, flowControl.maxRequests], [Infinity, Infinity]);
    assert.deepEqual([flowControl.defaultRequestTtlMs, flowControl.noEndpointRequestTtlMs], [Infinity, Infinity]);
    assert.equal(flowControl.defaultBand.maxBytes, 1e9);
  });

  it('gives negative priorities the default band when they have no template of their own', async () => {
    const { flowControl } = await load(`${head}flowControl: {defaultPriorityBand: {maxRequests: 7}}`, 'reference');
    assert.equal(flowControl.defaultNegativeBand.maxRequests, 7);
  });

  it('warns of a flowControl section while its gate is off', async () => {
    const { warnings } = await loadConfig({ text: `${head}flowControl: {maxBytes: 1}`, defaults: 'reference' });
    assert.match(warnings[0]?.message ?? '', /the feature gate flowControl is off/);
  });
});

describe('what fairlead serve runs', () => {
  it('without any file is flow control that nobody has to tune', async () => {
    const { flowControl, detector, flowControlEnabled, scheduling, metricsSource } = await load(undefined);
    assert.equal(flowControlEnabled, true);
    assert.equal(detector.type, 'adaptive-concurrency-detector');
    assert.equal(flowControl.defaultBand.fairness.type, 'virtual-token-counter-fairness-policy');
    assert.deepEqual([flowControl.defaultRequestTtlMs, flowControl.noEndpointRequestTtlMs], [50_000, 10_000]);
    assert.equal(flowControl.defaultBand.maxFlowShare, 0.5);
    assert.deepEqual(
      scheduling.profiles[0]?.scorers.map(({ scorer }) => scorer.type),
      ['queue-scorer', 'kv-cache-utilization-scorer', 'active-request-scorer', 'prefix-cache-scorer'],
    );
    assert.equal(metricsSource?.intervalMs, 500);
    assert.equal(metricsSource.defaultEngine, undefined);
  });

  it('takes a detector in plugins for a detector, not for a wish about scheduling', async () => {
    const file = `${head}plugins: [{type: concurrency-detector}]\nflowControl: {saturationDetector: {pluginRef: concurrency-detector}}`;
    const { scheduling, detector } = await load(file);
    assert.equal(detector.type, 'concurrency-detector');
    assert.deepEqual([scheduling.profiles[0]?.filters.length, scheduling.profiles[0]?.scorers.length], [0, 4]);
  });

  it('knows the priorities of objectives and keys, and the gateway and identity sections', async () => {
    const { flowControl, identity, gateway, endpoints } = await load(`${head}
inferenceObjectives: [{name: batch, priority: -1}, {name: chat, priority: 5}]
identity:
  trustedSources: [10.0.0.0/8, "fd00::/8", 192.0.2.7]
  keys: [{hash: "sha256:${'A'.repeat(64)}", tenant: a, priority: 5, weight: 0.5, maxInFlight: 3}]
gateway: {maxBodyBytes: 1Mi, drainTimeout: 0s, relayedPaths: [/v2/x]}
endpoints: [{url: "http://h:80/v/", labels: {a: b}, models: [m], apiKeyEnv: KEY}, {url: "https://[::1]:8443"}]`);
    assert.deepEqual(flowControl.knownPriorities, [5, -1]);
    assert.deepEqual(identity.keys, [
      { sha256: 'a'.repeat(64), tenant: 'a', priority: 5, weight: 0.5, maxInFlight: 3 },
    ]);
    assert.deepEqual([gateway.maxBodyBytes, gateway.maxBufferedBytes, gateway.drainTimeoutMs], [2 ** 20, 2 ** 29, 0]);
    assert.deepEqual(gateway.relayedPaths, ['/v2/x']);
    assert.deepEqual(endpoints, [
      { url: 'http://h/v', name: 'h/v', labels: { a: 'b' }, models: ['m'], apiKeyEnv: 'KEY' },
      { url: 'https://[::1]:8443', name: '[::1]:8443', labels: {}, models: [] },
    ]);
  });

  it('cannot be changed afterwards, while plugins keep their own state', async () => {
    const config = await load(undefined);
    assert.throws(() => ((config.gateway as { maxBodyBytes: number }).maxBodyBytes = 1), TypeError);
    assert.throws(() => (config.flowControl.bands as unknown[]).push(1), TypeError);
    assert.ok(!Object.isFrozen(config.detector));
  });

  it('reads no metrics when that is switched off', async () => {
    assert.equal((await load(`${head}dataLayer: {injectDefaults: false}`)).metricsSource, undefined);
  });
});

describe('the whole configuration written out', () => {
  for (const name of ['reference.yaml', 'old-group.yaml', undefined]) {
    for (const defaults of ['serve', 'reference'] as const) {
      it(`loads as the same again, whoever loads it: ${name ?? 'no file'}, defaults of ${defaults}`, async () => {
        const first = await loadConfig({ defaults, ...(name === undefined ? {} : { file: golden(name) }) });
        const text = stringify(first.ok && first.document, { aliasDuplicateObjects: false });
        for (const other of ['serve', 'reference'] as const) {
          const second = await loadConfig({ text, defaults: other });
          assert.deepEqual(second.problems, undefined);
          assert.deepEqual(
            second.warnings.filter(({ path: at }) => at !== 'flowControl'),
            [],
          );
          assert.deepEqual(second.ok && second.document, first.ok && first.document);
          assert.deepEqual(plain(second.ok), plain(first.ok));
        }
      });
    }
  }
});

describe('mistakes', () => {
  it('are reported all at once, in order, each with its place', async () => {
    const { problems = [] } = await loadConfig({ file: golden('mistakes.yaml'), defaults: 'serve' });
    assert.deepEqual(
      problems.map(({ line, column, path: at, suggestion }) => [`${line}:${column}`, at, suggestion]),
      [
        ['3:16', 'featureGates[0]', 'flowControl'],
        ['7:23', 'plugins[0].parameters.maxConcurrency', null],
        ['8:11', 'plugins[1].type', 'round-robin-fairness-policy'],
        ['13:17', 'schedulingProfiles[0].plugins[0].weight', null],
        ['15:3', 'flowControl.maxRequest', 'maxRequests'],
        ['16:22', 'flowControl.defaultRequestTTL', null],
        ['19:26', 'flowControl.priorityBands[0].fairnessPolicyRef', null],
        ['20:17', 'flowControl.priorityBands[1].priority', null],
        ['23:10', 'endpoints[0].url', null],
        ['26:15', 'identity.keys[0].sha256', null],
        ['28:20', 'identity.trustedSources[0]', null],
      ],
    );
  });

  it('never repeat what may be a secret', async () => {
    const { problems } = await loadConfig({ file: golden('mistakes.yaml'), defaults: 'serve' });
    assert.ok(!/secret|sk-live/.test(JSON.stringify(problems)));
    const texts = [
      'identity: {keys: [sk-live]}',
      'identity: {keys: sk-live}',
      'endpoints: [{url: http://h, apiKeyEnv: sk-live}]',
    ];
    for (const text of texts) assert.ok(!(await messages(text)).join().includes('sk-live'), text);
  });

  it('in a reference to a plugin say where it stands and what was meant', async () => {
    const text =
      'flowControl:\n  priorityBands:\n    - priority: 2\n    - priority: 1\n      fairnessPolicyRef: round-robbin-fairness-policy\n';
    assert.deepEqual(await messages(text), [
      'f:7:26: flowControl.priorityBands[1].fairnessPolicyRef: unknown plugin `round-robbin-fairness-policy` at flowControl.priorityBands[1].fairnessPolicyRef; did you mean `round-robin-fairness-policy`?',
    ]);
  });

  it('in scheduling profiles are those of the reference', async () => {
    const cases: [string, RegExp][] = [
      ['schedulingProfiles: [{plugins: []}]', /schedulingProfiles\[0\]\.name: is missing/],
      ['schedulingProfiles: [{name: a}, {name: a}]', /duplicate name 'a'/],
      ['schedulingProfiles: [{name: a}, {name: b}]', /no profile handler configured/],
      ['schedulingProfiles: [{name: a, plugins: [{weight: 1}]}]', /plugins\[0\]\.pluginRef: is missing/],
      [
        'schedulingProfiles: [{name: a, plugins: [{pluginRef: max-score-picker}, {pluginRef: random-picker}]}]',
        /two pickers/,
      ],
      [
        'schedulingProfiles: [{name: a, plugins: [{pluginRef: fcfs-ordering-policy}]}]',
        /wanted is a filter or a scorer or a picker/,
      ],
      [
        'plugins: [{type: single-profile-handler}, {name: b, type: single-profile-handler}]',
        /multiple profile handlers found \('single-profile-handler','b'\)/,
      ],
      [
        'plugins: [{type: single-profile-handler}]\nschedulingProfiles: [{name: a}, {name: b}]',
        /exactly one scheduling profile/,
      ],
    ];
    for (const [text, expected] of cases) assert.match((await messages(text)).join('\n'), expected, text);
  });

  it('about things that are not here yet say so', async () => {
    const cases = [
      'plugins: [{type: latency-scorer}]',
      'flowControl: {enableEviction: true}',
      'dataLayer: {peerDiscovery: {pluginRef: x}}',
      'flowControl: {defaultPriorityBand: {fairnessPolicyRef: predicted-latency-producer}}',
    ];
    for (const text of cases)
      assert.match((await messages(text)).join('\n'), /not in this version; see docs\/compatibility.md/, text);
  });

  it('in other sections are found as well', async () => {
    const hex = 'b'.repeat(64);
    const cases: [string, RegExp][] = [
      ['featureGates: [flowControl=maybe]', /'maybe' is not a valid value for the feature gate flowControl/],
      ['plugins: [{name: a}]', /plugins\[0\]\.type: plugin 'a' is missing a type/],
      [
        'dataLayer: {discovery: {pluginRef: file-discovery}}',
        /`file-discovery` needs an entry in plugins: parameters\.path is missing/,
      ],
      [
        'dataLayer: {sources: [{pluginRef: m}]}\nplugins: [{name: m, type: metrics-data-source}]',
        /a second metrics source/,
      ],
      ['requestHandler: {parsers: [{pluginRef: queue-scorer}]}', /wanted is a parser/],
      ['endpoints: [{url: "http://h"}, {url: "http://h/"}]', /duplicate endpoint url `http:\/\/h`/],
      ['endpoints: [{url: "http://h", name: a}, {url: "http://i", name: a}]', /duplicate endpoint name `a`/],
      ['endpoints: [{url: "ftp://h"}]', /must be an http or https URL/],
      ['endpoints: [{url: "http://h?x"}]', /query or a fragment/],
      [
        `identity: {keys: [{sha256: ${hex}, tenant: a}, {sha256: ${hex}, tenant: b}]}`,
        /duplicate key: tenant 'a' has it already/,
      ],
      ['identity: {keys: [{tenant: a}]}', /identity\.keys\[0\]\.sha256: is missing/],
      ['gateway: {maxBodyBytes: 1Gi}', /the largest body would never fit/],
      ['gateway: {headersTimeout: 0s}', /at least 1ms/],
      ['inferenceObjectives: [{name: a}, {name: a}]', /duplicate objective 'a'/],
      ['flowControl: {maxFlowShare: 0}', /more than 0 and at most 1/],
    ];
    for (const [text, expected] of cases) assert.match((await messages(text)).join('\n'), expected, text);
  });

  it('on the command line are told with those of the file', async () => {
    const { problems = [] } = await loadConfig({
      text: `${head}x: 1`,
      endpointUrls: ['http://a', 'b:1'],
      defaults: 'serve',
    });
    assert.deepEqual(
      problems.map(({ file, path: at }) => [file, at]),
      [
        ['command line', '--endpoint'],
        ['--config-text', 'x'],
      ],
    );
    const both = await loadConfig({ text: head, file: golden('reference.yaml'), defaults: 'serve' });
    assert.match(both.problems?.[0]?.message ?? '', /cannot be given at the same time/);
  });

  it('need the head that the reference needs', async () => {
    const { problems = [] } = await loadConfig({ text: 'endpoints: []', defaults: 'serve' });
    assert.deepEqual(
      problems.map(({ path: at }) => at),
      ['apiVersion', 'kind'],
    );
  });

  it('of a missing file are told apart from those in it', async () => {
    const missing = await loadConfig({ file: golden('nothing.yaml'), defaults: 'serve' });
    assert.equal(missing.problems !== undefined && missing.unreadable, true);
    const folder = await loadConfig({ file: import.meta.dirname, defaults: 'serve' });
    assert.match(folder.problems?.[0]?.message ?? '', /it is a directory/);
  });
});

it('addresses given on the command line add to those of the file', async () => {
  const { ok } = await loadConfig({
    text: `${head}endpoints: [{url: "http://a"}]`,
    endpointUrls: ['http://b:1/'],
    defaults: 'serve',
  });
  assert.deepEqual(
    ok?.endpoints.map(({ url }) => url),
    ['http://a', 'http://b:1'],
  );
});

it('the golden mistakes file stays as it is, because its lines are counted', () => {
  assert.equal(readFileSync(golden('mistakes.yaml'), 'utf8').split('\n').length, 29);
});
