// SPDX-License-Identifier: Apache-2.0

/**
 * `node tools/manifest.ts publish|restore`, run by npm in a package's folder before and after packing. A tarball holds
 * no `src`, so a manifest that went out with the `development` condition would break every user whose tools set that
 * condition (development servers do); the scripts that call this file would be as lost there. Only the packed manifest
 * goes without them: the original is kept aside and put back.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const manifestFile = path.resolve('package.json');
const keptFile = path.resolve('.cache', 'package.json');

/** A manifest without its scripts and without the conditions that name sources. */
function published(manifest: Record<string, unknown>): Record<string, unknown> {
  const { scripts: _scripts, ...rest } = manifest;
  const entries = Object.entries(rest['exports'] as Record<string, Record<string, string>>);
  const exports = entries.map(([name, { development: _source, ...conditions }]) => [name, conditions]);
  return { ...rest, exports: Object.fromEntries(exports) as unknown };
}

switch (process.argv[2]) {
  case 'publish':
    // A kept original means that an earlier packing was cut off: that one is the true one.
    if (existsSync(keptFile)) renameSync(keptFile, manifestFile);
    mkdirSync(path.dirname(keptFile), { recursive: true });
    copyFileSync(manifestFile, keptFile);
    writeFileSync(
      manifestFile,
      `${JSON.stringify(published(JSON.parse(readFileSync(manifestFile, 'utf8')) as Record<string, unknown>), null, 2)}\n`,
    );
    break;
  case 'restore':
    renameSync(keptFile, manifestFile);
    break;
  default:
    console.error('usage: node tools/manifest.ts publish|restore (in the folder of a package)');
    process.exit(2);
}
