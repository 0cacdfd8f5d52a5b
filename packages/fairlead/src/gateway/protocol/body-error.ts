// SPDX-License-Identifier: Apache-2.0

/** What is wrong with a body, and where. */

export interface BodyError {
  /** One sentence that says what is wrong, where, and what is allowed. */
  readonly message: string;
  /** Byte offset in the body. */
  readonly offset: number;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1, in characters. */
  readonly column: number;
  /** The member that is wrong, when it is not the syntax. */
  readonly param?: string;
}

/** Line and column of a byte. Only asked for a body that is refused. */
export function positionOf(chunks: readonly Uint8Array[], offset: number): { line: number; column: number } {
  let line = 1;
  let column = 1;
  let base = 0;
  for (const chunk of chunks) {
    const end = Math.min(chunk.length, offset - base);
    for (let at = 0; at < end; at += 1) {
      const byte = chunk[at]!;
      if (byte === 0x0a) {
        line += 1;
        column = 1;
      } else if ((byte & 0xc0) !== 0x80) {
        column += 1;
      }
    }
    base += chunk.length;
    if (base >= offset) break;
  }
  return { line, column };
}
