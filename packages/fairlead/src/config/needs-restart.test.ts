// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ParameterSpecs } from '@fairlead/core';
import { fieldsThatNeedRestart } from './needs-restart.ts';

const specs: ParameterSpecs = {
  free: { type: 'integer', doc: 'Counts at once.' },
  section: {
    type: 'object',
    doc: 'A section.',
    fields: {
      bound: { type: 'integer', restart: true, doc: 'Read once.' },
      free: { type: 'integer', doc: 'Counts at once.' },
    },
  },
  items: {
    type: 'list',
    doc: 'Items.',
    of: {
      type: 'object',
      doc: 'An item.',
      fields: { bound: { type: 'integer', restart: true, doc: 'Read once.' } },
    },
  },
};
const before = { free: 1, section: { bound: 1, free: 1 }, items: [{ bound: 1 }] };

describe('fields that count after a restart', () => {
  it('are named when they differ, and only then', () => {
    const changed = (after: object): readonly string[] => fieldsThatNeedRestart(before, { ...before, ...after }, specs);
    assert.deepEqual(changed({}), []);
    assert.deepEqual(changed({ free: 2, section: { bound: 1, free: 2 } }), []);
    assert.deepEqual(changed({ section: { bound: 2, free: 1 } }), ['section.bound']);
    assert.deepEqual(changed({ section: undefined }), ['section.bound']);
    assert.deepEqual(changed({ items: [{ bound: 1 }, { bound: 2 }] }), ['items']);
  });
});
