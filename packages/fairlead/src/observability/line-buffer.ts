// SPDX-License-Identifier: Apache-2.0

/**
 * Lines on their way to a stream, those of one turn of the event loop in one write: a busy gateway logs a line for each
 * request, and to a pipe or a file every write is a system call that it waits for.
 */

/** So much is written at once at the latest. */
const MOST_CHARS = 64 * 1024;

export class LineBuffer {
  readonly #destination: { write(text: string): unknown };
  #lines = '';
  #isScheduled = false;
  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  constructor(destination: { write(text: string): unknown }) {
    this.#destination = destination;
  }

  write(line: string): void {
    this.#lines += line;
    if (this.#lines.length >= MOST_CHARS) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#onTurn);
    }
  }

  /** Writes what is held; to be called before the process ends. */
  flush(): void {
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#destination.write(lines);
  }
}
