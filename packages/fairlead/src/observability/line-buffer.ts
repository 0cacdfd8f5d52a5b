// SPDX-License-Identifier: Apache-2.0

/**
 * Lines on their way to a stream, many in one write: a busy gateway logs a line for each request, and to a pipe or a file
 * every write is a system call. While each turn of the event loop brings more they are collected, up to a size; a turn
 * without more writes what there is, so that a line of a quiet gateway waits for nothing.
 *
 * They are encoded here and always into the same bytes: text that consists of many pieces takes a stream three times as
 * long, and fresh bytes for each write half as much again.
 */

/** So much is written at once at the latest. */
const MOST_CHARS = 16 * 1024;
/** Holds that, a long line, and what is not ASCII. */
const SPACE_BYTES = 64 * 1024;
const MOST_BYTES_OF_CHAR = 3;

/** Where lines go: a stream, as a rule. */
export interface LineStream {
  write(text: Buffer): unknown;
  /** Bytes that were not taken yet: 0 means that those of the last write may be used for others. */
  readonly writableLength?: number;
}

export class LineBuffer {
  readonly #stream: LineStream;
  #lines = '';
  /** Length of `#lines` when this turn began. */
  #lengthBefore = 0;
  #isScheduled = false;
  #space: Buffer | undefined;
  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    if (this.#lines.length === this.#lengthBefore) this.flush();
    else this.#awaitTurn();
  };

  constructor(stream: LineStream) {
    this.#stream = stream;
  }

  write(line: string): void {
    this.#lines += line;
    if (this.#lines.length >= MOST_CHARS) this.flush();
    else if (!this.#isScheduled) this.#awaitTurn();
  }

  /** Writes what is held; to be called before the process ends. */
  flush(): void {
    const lines = this.#lines;
    if (lines === '') return;
    this.#lines = '';
    this.#lengthBefore = 0;
    if (this.#stream.writableLength !== 0 || lines.length * MOST_BYTES_OF_CHAR > SPACE_BYTES) {
      this.#stream.write(Buffer.from(lines));
      return;
    }
    const space = (this.#space ??= Buffer.allocUnsafeSlow(SPACE_BYTES));
    this.#stream.write(space.subarray(0, space.write(lines)));
    // A reader that is slow has these to itself.
    if (this.#stream.writableLength !== 0) this.#space = undefined;
  }

  #awaitTurn(): void {
    this.#lengthBefore = this.#lines.length;
    this.#isScheduled = true;
    setImmediate(this.#onTurn);
  }
}
