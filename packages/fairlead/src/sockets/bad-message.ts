// SPDX-License-Identifier: Apache-2.0

/** What is wrong with a message: it breaks the rules of HTTP/1.1, or is larger than what is read of one. */
export type BadMessageKind = 'malformed' | 'head-too-large' | 'extensions-too-large';

/** What came is no message, or not one whose end is certain. Says what is wrong without a byte of it. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
  readonly kind: BadMessageKind;

  constructor(message: string, kind: BadMessageKind = 'malformed') {
    super(message);
    this.kind = kind;
  }
}
