// SPDX-License-Identifier: Apache-2.0

/**
 * The configured keys, found by what is presented. A presented key is hashed, the first 64 bits of its SHA-256 choose
 * where to look, and the whole digest decides by a comparison whose time does not depend on where two digests differ.
 * So a look-up costs the same with ten keys and with ten thousand, and what its time could tell is something of a
 * digest that an attacker can neither steer towards a configured one nor turn back into a key.
 */

import { timingSafeEqual } from 'node:crypto';

/** Hexadecimal digits of a digest that choose where to look. */
const INDEX_DIGITS = 16;

const DIGEST_BYTES = 32;
/** The digest that is being looked up. */
const asked = Buffer.alloc(DIGEST_BYTES);

interface Entry<T> {
  readonly digest: Buffer;
  readonly value: T;
  /** Another digest that begins with the same 64 bits: only ever one that was made up. */
  readonly next: Entry<T> | undefined;
}

export class KeyTable<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #isEqual: (a: Buffer, b: Buffer) => boolean;

  /** `keys` by hexadecimal SHA-256. `isEqual` compares two digests; tests count with it. */
  constructor(keys: Iterable<readonly [sha256: string, value: T]>, isEqual = timingSafeEqual) {
    this.#isEqual = isEqual;
    for (const [sha256, value] of keys) {
      const index = sha256.slice(0, INDEX_DIGITS).toLowerCase();
      this.#entries.set(index, { digest: Buffer.from(sha256, 'hex'), value, next: this.#entries.get(index) });
    }
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** What belongs to the key whose digest this is (as `hashKey` gives it). */
  find(sha256: string): T | undefined {
    if (this.isEmpty) return undefined;
    let entry = this.#entries.get(sha256.slice(0, INDEX_DIGITS));
    if (entry === undefined) return undefined;
    asked.write(sha256, 'hex');
    while (entry !== undefined && !this.#isEqual(entry.digest, asked)) entry = entry.next;
    return entry?.value;
  }
}
