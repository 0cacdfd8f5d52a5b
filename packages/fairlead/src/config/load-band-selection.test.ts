// SPDX-License-Identifier: Apache-2.0

/** `flowControl.bandSelectionPolicyRef` and the parameters of what it names. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from './load.ts';

const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';

async function messages(text: string): Promise<string[]> {
  const { problems = [] } = await loadConfig({ text: `${head}${text}`, defaults: 'serve' });
  return problems.map(({ line, message }) => `${line}: ${message}`);
}

const minShare = (parameters: string): string =>
  `plugins: [{name: m, type: min-share-band-selection-policy, parameters: ${parameters}}]\n`;

describe('the band selection policy of a configuration', () => {
  it('is the strict one by default, and any that the file names', async () => {
    const { ok } = await loadConfig({ text: head, defaults: 'reference' });
    assert.equal(ok?.flowControl.bandSelection.type, 'strict-band-selection-policy');
    const named = await loadConfig({
      text: `${head}flowControl: {bandSelectionPolicyRef: weighted-band-selection-policy}`,
      defaults: 'serve',
    });
    assert.equal(named.ok?.flowControl.bandSelection.type, 'weighted-band-selection-policy');
  });

  it('is refused when there is none of that name, with the nearest one, or when it is something else', async () => {
    const [unknown] = await messages('flowControl: {bandSelectionPolicyRef: strikt-band-selection-policy}');
    assert.match(
      unknown ?? '',
      /^3: .* `strikt-band-selection-policy`.*; did you mean `strict-band-selection-policy`\?/,
    );
    const [other] = await messages('flowControl: {bandSelectionPolicyRef: fcfs-ordering-policy}');
    assert.match(other ?? '', /wanted is a band selection policy/);
  });

  it('is refused with shares and weights that cannot be', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [minShare('{shares: [{priority: 1, share: 1.1}]}'), /must be a number, at least 0 and at most 1, got 1\.1/],
      [minShare('{shares: [{priority: 1, share: 0.7}, {priority: 2, share: 0.7}]}'), /shares are 1\.4 together/],
      [minShare('{shares: [{priority: 1, share: 0.1}, {priority: 1, share: 0.1}]}'), /priority: 1 is named twice/],
      [minShare('{shares: [{share: 0.1}]}'), /required is an integer/],
      [minShare('{shares: [{priority: 1, share: .nan}]}'), /must be a number, at least 0 and at most 1/],
      ['plugins: [{type: weighted-band-selection-policy, parameters: {defaultWeight: 0}}]', /more than 0, got 0/],
    ];
    for (const [text, message] of cases) assert.match((await messages(text)).join('\n'), message, text);
  });

  it('is warned of when it names a priority that has no band', async () => {
    const shares = '{shares: [{priority: 5, share: 0.1}, {priority: 7, share: 0.1}, {priority: 0, share: 0.1}]}';
    const flowControl = 'flowControl: {bandSelectionPolicyRef: m, priorityBands: [{priority: 5}]}';
    const { ok, warnings } = await loadConfig({ text: `${head}${minShare(shares)}${flowControl}`, defaults: 'serve' });
    assert.ok(ok !== undefined);
    assert.deepEqual(
      warnings.map(({ message }) => message),
      ['`m` names priority 7, which no priority band, key or objective has'],
    );
  });
});
