// SPDX-License-Identifier: Apache-2.0

/**
 * What a name of a header, or another short text of a head, means to us, worked out once for each way it is spelled: the
 * same few come again and again, and a look-up costs less than lower case and one table after the other.
 */

/** Texts remembered at most; a client that makes up more only makes us forget those of others. */
const MAX_KNOWN = 1024;
/** Longer ones are worked out each time. */
const MAX_REMEMBERED_LENGTH = 64;

export class KnownTexts<Meaning> {
  readonly #known = new Map<string, Meaning>();
  readonly #meaningOf: (text: string) => Meaning;

  /** `meaningOf` a text must depend on nothing else. */
  constructor(meaningOf: (text: string) => Meaning) {
    this.#meaningOf = meaningOf;
  }

  of(text: string): Meaning {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const meaning = this.#meaningOf(text);
    if (text.length <= MAX_REMEMBERED_LENGTH) this.#remember(text, meaning);
    return meaning;
  }

  #remember(text: string, meaning: Meaning): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    // A copy: a part of a longer text would keep all of that in memory.
    this.#known.set(Buffer.from(text, 'utf8').toString('utf8'), meaning);
  }
}
