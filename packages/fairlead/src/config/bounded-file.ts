// SPDX-License-Identifier: Apache-2.0

/** Files that somebody else writes, read without trust in what they say of their size. */

import { open } from 'node:fs/promises';

/** At most one byte more than is allowed, which shows that there are more: no file is read into memory whole. */
export async function readBounded(file: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}
