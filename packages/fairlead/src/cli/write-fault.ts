// SPDX-License-Identifier: Apache-2.0

/** Why a file that a flag names cannot be written, in words. */

const writeFaults: Readonly<Record<string, string>> = {
  ENOENT: 'its folder is not there',
  ENOTDIR: 'what should be its folder is a file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  EEXIST: 'there is such a file already',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};

/** For a system error of opening or writing. */
export function writeFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return writeFaults[code ?? ''] ?? message;
}
