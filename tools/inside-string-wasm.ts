// SPDX-License-Identifier: Apache-2.0

/**
 * Assembles the module that finds where strings end, and writes it as the source that the gateway imports: a package of
 * compiled TypeScript then needs no other file, and nobody an assembler. `test/inside-string-wasm.test.ts` fails when the
 * source is not what this would write.
 *
 *     node --conditions=development tools/inside-string-wasm.ts
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import loadWabt from 'wabt';

const room = path.join(path.dirname(import.meta.dirname), 'packages/fairlead/src/gateway/protocol');

/** Where the assembled module is kept. */
export const insideStringWasmPath = path.join(room, 'inside-string-wasm.ts');

/** The source that holds the assembled module. Throws where the text has a mistake, which it names. */
export async function insideStringWasm(): Promise<string> {
  const name = 'inside-string.wat';
  const wabt = await loadWabt();
  const module = wabt.parseWat(name, readFileSync(path.join(room, name), 'utf8'), { simd: true });
  try {
    module.validate();
    const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
    return await prettier.format(source(name, base64), { parser: 'typescript', singleQuote: true, printWidth: 120 });
  } finally {
    module.destroy();
  }
}

function source(name: string, base64: string): string {
  const lines = base64.match(/.{1,100}/g)!.map((line) => `'${line}'`);
  return `// SPDX-License-Identifier: Apache-2.0

/** \`${name}\`, assembled by tools/inside-string-wasm.ts: change that text, then run it. In base64. */
export const INSIDE_STRING_WASM = ${lines.join(' + ')};
`;
}

if (import.meta.main) writeFileSync(insideStringWasmPath, await insideStringWasm());
