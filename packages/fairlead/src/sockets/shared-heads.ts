// SPDX-License-Identifier: Apache-2.0

/**
 * Heads that many connections have in common, as those of one client's library: each is held once, and on a new
 * connection need not be read again. Held is what came since the last sweep but one, or less where very many come.
 */

import { KeptHead, LENGTH } from './repeated-heads.ts';

/** From one sweep to the next. */
const MOST_HEADS = 256;

export class SharedHeads<Head extends { readonly lengthBytes: number | undefined }> {
  /** By their text without its length: what was asked for since the last sweep, and between that and the one before. */
  #recent = new Map<string, KeptHead<Head>>();
  #earlier = new Map<string, KeptHead<Head>>();

  /**
   * The head with these bytes, which may be lent, and this text, which ends before the empty line; `read` makes one of it
   * when none is held, and may throw.
   */
  of(bytes: Buffer, text: string, read: (text: string) => Head): KeptHead<Head> {
    const name = `${text}\r\n`.replace(LENGTH, '');
    let head = this.#recent.get(name) ?? this.#earlier.get(name);
    // Texts that differ may have one name.
    if (head?.endIn(bytes, 0) !== bytes.length) {
      const made = read(text);
      head = new KeptHead(bytes, made, made.lengthBytes);
    }
    if (this.#recent.size >= MOST_HEADS) this.sweep();
    this.#recent.set(name, head);
    return head;
  }

  /** Lets go of what was not asked for since the last sweep. */
  sweep(): void {
    this.#earlier = this.#recent;
    this.#recent = new Map();
  }
}
