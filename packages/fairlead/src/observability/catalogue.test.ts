// SPDX-License-Identifier: Apache-2.0

/** The catalogue against its page in docs/, in both directions, and against the rules of Prometheus. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { catalogue, requestHistograms } from './catalogue.ts';

const page = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8');

/** Cells of the rows of every table whose first heading is `heading`. */
function rowsUnder(heading: string): string[][] {
  const rows: string[][] = [];
  let isInside = false;
  for (const line of page.split('\n')) {
    if (!line.startsWith('|')) isInside = false;
    else if (line.startsWith(`| ${heading} |`)) isInside = true;
    else if (isInside && !line.startsWith('|---'))
      rows.push(
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
  }
  return rows;
}

function inCode(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
}

test('docs/metrics.md lists every family with its type, labels and meaning, and no other', () => {
  const documented = rowsUnder('Name').map(([name = '', type, labels = '', meaning]) => ({
    name: inCode(name)[0],
    type,
    labels: inCode(labels),
    meaning,
  }));
  const existing = catalogue.map(({ name, type, labels, help }) => ({
    name,
    type,
    labels: [...labels],
    meaning: help.replace('[ALPHA] ', ''),
  }));
  const byName = (a: { name: string | undefined }, b: { name: string | undefined }): number =>
    String(a.name) < String(b.name) ? -1 : 1;
  assert.deepEqual(documented.sort(byName), existing.sort(byName));
});

test('docs/metrics.md lists the buckets of every histogram, and of no other', () => {
  const documented = new Map<string, string>();
  for (const [names = '', bounds = ''] of rowsUnder('Histograms')) {
    for (const name of inCode(names)) documented.set(name, bounds);
  }
  const existing = new Map(
    catalogue.flatMap(({ name, buckets }) => (buckets === undefined ? [] : [[name, buckets.join(' ')] as const])),
  );
  assert.deepEqual(documented, existing);
});

test('names and labels are legal, unique and spelled as their type asks for', () => {
  assert.equal(new Set(catalogue.map(({ name }) => name)).size, catalogue.length);
  for (const { name, type, labels, help, buckets } of catalogue) {
    assert.match(name, /^(llm_d_epp|fairlead|process)_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.equal(help.startsWith('[ALPHA] '), name.startsWith('llm_d_epp_'), name);
    assert.equal(new Set(labels).size, labels.length, name);
    for (const label of labels) assert.match(label, /^[a-z_]+$/);
    assert.equal(buckets !== undefined, type === 'histogram', name);
    for (const [index, bound] of (buckets ?? []).entries()) assert.ok(bound > (buckets?.[index - 1] ?? 0), name);
  }
});

test("the reference's bucket bounds are kept to the letter, its typing slip included", () => {
  assert.ok(requestHistograms.inputTokens.buckets?.includes(32_778));
  assert.ok(!requestHistograms.inputTokens.buckets?.includes(32_768));
  assert.equal(requestHistograms.duration.buckets?.length, 35);
  assert.equal(requestHistograms.size.buckets?.at(-1), 1_073_741_824);
  assert.equal(requestHistograms.outputTokens.buckets?.at(-1), 8_192);
});
