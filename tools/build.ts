// SPDX-License-Identifier: Apache-2.0

/**
 * `npm run build`: compiles every workspace from `src` to a fresh `dist`, the core first, because the other package is
 * compiled against the core's published declarations, exactly as a user's compiler will see them. The old `dist` goes
 * first, so that a file deleted from `src` cannot live on in a tarball.
 */

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const root = path.dirname(import.meta.dirname);
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

for (const name of ['core', 'fairlead']) {
  const folder = path.join(root, 'packages', name);
  rmSync(path.join(folder, 'dist'), { recursive: true, force: true });
  try {
    execFileSync(process.execPath, [compiler, '-p', path.join(folder, 'tsconfig.build.json')], { stdio: 'inherit' });
  } catch {
    // The compiler has already said what is wrong.
    process.exit(1);
  }
}
