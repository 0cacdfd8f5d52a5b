// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { insideStringWasm, insideStringWasmPath } from '../tools/inside-string-wasm.ts';

test('inside-string-wasm.ts is what inside-string.wat says (to write it again: node --conditions=development tools/inside-string-wasm.ts)', async () => {
  assert.equal(readFileSync(insideStringWasmPath, 'utf8'), await insideStringWasm());
});
