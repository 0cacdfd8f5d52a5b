#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0

/**
 * The `fairlead` executable. It imports the rest only on a Node that can: an older one would end with a syntax error
 * that names no cause.
 */

/** As in `engines` of the package. */
const NEEDED = [22, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(`fairlead needs Node ${NEEDED.join('.')} or newer; this is Node ${process.versions.node}\n`);
  process.exit(1);
}
await import('./process.ts');
