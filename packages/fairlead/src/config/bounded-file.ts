// SPDX-License-Identifier: Apache-2.0

/**
 * Files that somebody else writes, read without trust in what they are or say of their size: a pipe would be waited for
 * without end, a device read without end. At most one byte more than is allowed is read, which shows that there are more.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** Does not wait for whoever should write into a pipe; without effect on a regular file, and unknown to Windows. */
const AT_ONCE = constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0);

/** A pipe, a socket or a device stands where a file should. */
export class IrregularFile extends Error {
  override readonly name = 'IrregularFile';

  constructor() {
    super('is not a regular file');
  }
}

/**
 * At most `maxBytes + 1` bytes of a regular file.
 *
 * @throws {IrregularFile} when it is none; a system error when it cannot be read.
 */
export async function readBounded(file: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(file, AT_ONCE);
  try {
    check(await handle.stat());
    return await filled(handle, maxBytes);
  } finally {
    await handle.close();
  }
}

/** The same at once, for what is small and read before anything is served with it. */
export function readBoundedSync(file: string, maxBytes: number): Buffer {
  const handle = openSync(file, AT_ONCE);
  try {
    check(fstatSync(handle));
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (;;) {
      const count = readSync(handle, buffer, length, buffer.length - length, null);
      length += count;
      if (count === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(handle);
  }
}

/** The same of whatever can be read, such as the pipe of a shell's `<(…)`. */
export async function readBoundedOfAny(file: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    return await filled(handle, maxBytes);
  } finally {
    await handle.close();
  }
}

async function filled(handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** Of a directory the system says itself what it is. */
function check(stats: Stats): void {
  if (!stats.isFile() && !stats.isDirectory()) throw new IrregularFile();
}
