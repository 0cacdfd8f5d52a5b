// SPDX-License-Identifier: Apache-2.0

/** What the reading of an answer is told to, and how it says that it cannot be read. */

/** What came is not an answer, or not one whose end is certain. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

/** Takes an answer in this order: one `onHead`, any number of `onBody`. */
export interface AnswerSink {
  /** Names and values in turn, as they came, each byte a character. */
  onHead(status: number, headers: string[]): void;
  /** The chunk is only lent: it is overwritten by the next read. */
  onBody(chunk: Buffer): void;
}
