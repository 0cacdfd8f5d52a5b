// SPDX-License-Identifier: Apache-2.0

/** So many digits make a small integer, whatever they are. */
const MAX_DIGITS = 9;

/** The number that is written at `[from, to)`, whose syntax has been checked; most are a few digits, and need no text. */
export function numberIn(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > MAX_DIGITS) return Number(textIn(bytes, from, to));
  let number = 0;
  for (let at = from; at < to; at += 1) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return Number(textIn(bytes, from, to));
    number = number * 10 + digit;
  }
  return number;
}

function textIn({ buffer, byteOffset }: Uint8Array, from: number, to: number): string {
  return Buffer.from(buffer, byteOffset + from, to - from).toString('latin1');
}
