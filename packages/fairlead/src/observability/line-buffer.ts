// SPDX-License-Identifier: Apache-2.0

/**
 * Lines on their way to a stream, many in one write: a busy gateway logs a line for each request, and to a pipe or a file
 * every write is a system call, after which as a rule its reader has the processor. While the turns of the event loop
 * bring more they are collected, up to a size; one line alone is written at the end of its turn. The bytes they are
 * collected in are always the same, too.
 */

/** Room for what is written at once and a line more. */
const SPACE_BYTES = 64 * 1024;
const NO_SPACE = Buffer.alloc(0);
/** So much is written at once, about. */
const FULL_BYTES = 32 * 1024;
/** So many turns without a line end the waiting for more. */
const QUIET_TURNS = 3;

/** Where lines go: a stream, as a rule. */
export interface LineStream {
  write(text: Buffer): unknown;
  /** Bytes that were not taken yet: 0 means that those of the last write may be used for others. */
  readonly writableLength?: number;
}

/** A line, as bytes that are copied before it is another. */
export interface Line {
  readonly length: number;
  copyTo(target: Buffer, at: number): void;
}

export class LineBuffer {
  readonly #stream: LineStream;
  #space = NO_SPACE;
  #used = 0;
  /** `#used` when this turn began. */
  #usedBefore = 0;
  #quietTurns = 0;
  /** One line is all that is held. */
  #isAlone = false;
  #isScheduled = false;
  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    if (this.#used === 0) return;
    this.#quietTurns = this.#used === this.#usedBefore ? this.#quietTurns + 1 : 0;
    if (this.#quietTurns >= (this.#isAlone ? 1 : QUIET_TURNS)) this.flush();
    else this.#awaitTurn();
  };

  constructor(stream: LineStream) {
    this.#stream = stream;
  }

  write(line: Line): void {
    if (line.length > this.#space.length - this.#used) this.#makeRoom(line.length);
    this.#isAlone = this.#used === 0;
    line.copyTo(this.#space, this.#used);
    this.#used += line.length;
    if (this.#used >= FULL_BYTES) this.flush();
    else if (!this.#isScheduled) this.#awaitTurn();
  }

  /** Writes what is held; to be called before the process ends. */
  flush(): void {
    if (this.#used === 0) return;
    const lines = this.#space.subarray(0, this.#used);
    this.#used = 0;
    this.#usedBefore = 0;
    this.#quietTurns = 0;
    if (this.#stream.writableLength !== 0) {
      this.#stream.write(Buffer.from(lines));
      return;
    }
    this.#stream.write(lines);
    // A reader that is slow has these to itself.
    if (this.#stream.writableLength !== 0) this.#space = NO_SPACE;
  }

  #makeRoom(lengthBytes: number): void {
    this.flush();
    if (lengthBytes > this.#space.length) this.#space = Buffer.allocUnsafeSlow(Math.max(lengthBytes, SPACE_BYTES));
  }

  #awaitTurn(): void {
    this.#usedBefore = this.#used;
    this.#isScheduled = true;
    setImmediate(this.#onTurn);
  }
}
