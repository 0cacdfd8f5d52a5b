// SPDX-License-Identifier: Apache-2.0

/**
 * A process imports a module once, whatever becomes of its file. What the file held then is noted here, so that a reload
 * can say which plugins run code that is no longer what stands there.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Hashes of the files as they were first imported, for as long as the process lives. */
const imported = new Map<string, string>();

/** To be called before a file is imported; true when it was imported before, and held something else then. */
export function isOutdated(file: string): boolean {
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
  const first = imported.get(file) ?? hash;
  imported.set(file, first);
  return hash !== first;
}
