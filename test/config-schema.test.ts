// SPDX-License-Identifier: Apache-2.0

/** The JSON Schema of the configuration file against a real validator, the examples, and the loader's own judgement. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { loadConfig } from '../packages/fairlead/src/config/load.ts';
import { readConfig } from '../packages/fairlead/src/config/read.ts';
import { configFields } from '../packages/fairlead/src/config/schema.ts';
import { createDefaultRegistry } from '../packages/fairlead/src/config/default-registry.ts';
import { configSchemaPath, configSchemaText } from '../tools/config-schema.ts';

const root = path.dirname(import.meta.dirname);
const golden = path.join(root, 'packages', 'fairlead', 'src', 'config', 'golden');
const example = path.join(root, 'examples', 'configuration', 'fairlead.yaml');
// A type that allows null beside another is what YAML has; everything else that is doubtful is an error.
const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  strictRequired: false,
  allErrors: true,
});
const validate = ajv.compile(JSON.parse(readFileSync(configSchemaPath, 'utf8')) as object);

const HEAD = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

/** Where the schema finds fault with a text; empty when it does not. */
function faultsOf(text: string): string[] {
  validate(readConfig(text).value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** What the loader finds wrong with it. */
async function problemsOf(text: string, directory = golden): Promise<string[]> {
  const file = path.join(directory, 'text.yaml');
  const { problems = [] } = await loadConfig({ file, fileText: text, defaults: 'serve' });
  return problems.map((problem) => `${problem.path} ${problem.message}`);
}

const mistakes: Readonly<Record<string, string>> = {
  'a field that does not exist': 'gateway: {maxBodyByte: 1}',
  'a section that does not exist': 'flowControls: {}',
  'a number that is no number': 'identity: {maxUnverifiedTenants: many}',
  'a number that is too small': 'identity: {maxUnverifiedTenants: 0}',
  'a number at an open end': 'flowControl: {maxFlowShare: 0}',
  'a number where a whole one is wanted': 'flowControl: {priorityBands: [{priority: 1.5}]}',
  'a duration without its unit': 'flowControl: {defaultRequestTTL: 30}',
  'a duration that is none': 'flowControl: {defaultRequestTTL: 30 seconds}',
  'a quantity that is none': 'flowControl: {maxBytes: 1GB}',
  'a quantity below 0': 'flowControl: {maxBytes: -1}',
  'a text that is a number': 'endpoints: [{url: "http://a:1", name: 7}]',
  'a list that is a mapping': 'endpoints: {url: "http://a:1"}',
  'a required field that is missing': 'endpoints: [{name: a}]',
  'a required field that is null': 'schedulingProfiles: [{name: null}]',
  'an item that is null': 'endpoints: [null]',
  'a hash that is a key': 'identity: {keys: [{sha256: sk-live, tenant: a}]}',
  'a label that is a number': 'endpoints: [{url: "http://a:1", labels: {a: 1}}]',
  'a plugin of no known type': 'plugins: [{type: round-robbin-fairness-policy}]',
  'a plugin without a type': 'plugins: [{name: a}]',
  'a parameter that does not exist': 'plugins: [{type: concurrency-detector, parameters: {maxConcurency: 1}}]',
  'a parameter out of range': 'plugins: [{type: static-usage-limit-policy, parameters: {threshold: -1}}]',
  'a parameter that is missing': 'plugins: [{type: file-discovery}]',
  'a choice that is none': 'plugins: [{type: metrics-data-source, parameters: {scheme: ftp}}]',
  'what is not in this version': 'dataLayer: {peerDiscovery: {}}',
};

const goods: Readonly<Record<string, string>> = {
  nothing: '',
  'nulls for what need not be there': 'gateway: null\nflowControl: {maxBytes: null, priorityBands: null}\nplugins: ~',
  'zero without a unit': 'flowControl: {defaultRequestTTL: 0, maxRequests: 0}',
  'amounts in every notation': 'flowControl: {defaultRequestTTL: 1h1m1.5s, maxBytes: 1.5Gi, maxRequests: 1e3}',
  'a parameter left out': 'plugins: [{type: concurrency-detector, parameters: null}]',
};

describe('the schema of the configuration file', () => {
  it('is what the code would write', () => {
    assert.equal(readFileSync(configSchemaPath, 'utf8'), configSchemaText(), 'run tools/config-schema.ts');
  });

  it('takes the example, which loads and shows every section', async () => {
    const text = readFileSync(example, 'utf8');
    const [, named = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    assert.equal(path.resolve(path.dirname(example), named), configSchemaPath);
    assert.deepEqual(faultsOf(text), []);
    assert.deepEqual(await problemsOf(text), []);
    const shown = Object.keys(readConfig(text).value as object);
    const deprecated = Object.keys(configFields).filter((name) =>
      /^Deprecated/.test(configFields[name as 'parser'].doc),
    );
    assert.deepEqual(
      Object.keys(configFields).filter((name) => !shown.includes(name)),
      deprecated,
    );
  });

  for (const name of readdirSync(golden)) {
    it(`judges ${name} as the loader does, and takes what \`check --resolved\` makes of it`, async () => {
      const text = readFileSync(path.join(golden, name), 'utf8');
      const loaded = await loadConfig({ file: path.join(golden, name), defaults: 'serve' });
      assert.equal(faultsOf(text).length > 0, loaded.ok === undefined, faultsOf(text).join('\n'));
      if (loaded.ok !== undefined) assert.deepEqual(faultsOf(JSON.stringify(loaded.document)), []);
    });
  }

  for (const [what, text] of Object.entries(mistakes)) {
    it(`refuses ${what}, as the loader does`, async () => {
      assert.notDeepEqual(await problemsOf(HEAD + text), []);
      assert.notDeepEqual(faultsOf(HEAD + text), []);
    });
  }

  for (const [what, text] of Object.entries(goods)) {
    it(`takes ${what}, as the loader does`, async () => {
      assert.deepEqual(await problemsOf(HEAD + text), []);
      assert.deepEqual(faultsOf(HEAD + text), []);
    });
  }

  it('knows the parameters of every plugin in the box', () => {
    for (const { type, parameters } of createDefaultRegistry().definitions()) {
      const text = (fields: object) => JSON.stringify({ plugins: [{ type, parameters: fields }] });
      assert.match(faultsOf(text({ noSuchParameter: 1 })).join(), /additional properties/, type);
      const required = Object.values(parameters).some((spec) => spec.required === true);
      assert.equal(/parameters|plugins/.test(faultsOf(text({})).join()), required, type);
    }
  });

  it('leaves the type of a plugin of one’s own to its module', () => {
    assert.deepEqual(faultsOf(`${HEAD}plugins: [{module: ./mine.ts}, {module: mine, type: my-policy, name: a}]`), []);
  });
});
