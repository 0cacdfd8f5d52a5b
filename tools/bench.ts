// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run bench -- NAME [--json] [--check] …`: runs `bench/NAME.ts` as if it had been started itself, with the
 * arguments behind the name. Each file directly in `bench/` is one benchmark.
 */

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = path.join(path.dirname(import.meta.dirname), 'bench');

function benchNames(): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => file.slice(0, -'.ts'.length));
  } catch {
    return [];
  }
}

const [name, ...rest] = process.argv.slice(2);
const names = benchNames();
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json] [--check]; NAME is one of: ${names.join(', ') || '(none yet)'}`);
  process.exit(2);
}
const file = path.join(folder, `${name}.ts`);
process.argv = [process.argv[0]!, file, ...rest];
await import(pathToFileURL(file).href);
