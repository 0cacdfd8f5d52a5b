// SPDX-License-Identifier: Apache-2.0

/** A client made of a bare socket, for everything that a well-behaved library would never send. */

import net from 'node:net';

/** One answer as it came. */
export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; of several of one name, the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class RawClient {
  readonly socket: net.Socket;
  readonly closed: Promise<unknown>;
  #text = '';
  #changed: (() => void) | undefined;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = net.connect({ host: hostname, port: Number(port) });
    // A reset is an end too; `once` would take it for a failure.
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#changed?.();
    });
    for (const event of ['end', 'close', 'error']) this.socket.on(event, () => this.#changed?.());
  }

  /** What came and was not taken as an answer yet. */
  get text(): string {
    return this.#text;
  }

  write(text: string | Uint8Array): this {
    this.socket.write(text);
    return this;
  }

  /** A POST to the chat route; `headers` as lines, a length only when the body is given whole. */
  post(body: string, headers: readonly string[] = [], path = '/v1/chat/completions'): this {
    const lines = [`POST ${path} HTTP/1.1`, 'host: x', `content-length: ${Buffer.byteLength(body)}`, ...headers];
    return this.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  /** Resolves with the next whole answer; only for those with a length. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const found = this.#take();
      if (found !== undefined) return found;
      if (this.socket.destroyed || this.socket.readableEnded) throw new Error(`no whole answer in: ${this.#text}`);
      await this.change();
    }
  }

  /** Resolves when more has come, or nothing more will. */
  change(): Promise<void> {
    return new Promise((resolve) => (this.#changed = resolve));
  }

  /** Resolves when `part` has come. */
  async saw(part: string): Promise<void> {
    while (!this.#text.includes(part)) {
      if (this.socket.destroyed) throw new Error(`closed without ${part}: ${this.#text}`);
      await this.change();
    }
  }

  /** Resolves when an answer has come whole, by its length or its last chunk, or none will. */
  async whole(): Promise<void> {
    while (!this.socket.destroyed && !this.#text.includes('\r\n0\r\n\r\n')) {
      if (this.#take() !== undefined) return;
      await this.change();
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(): RawAnswer | undefined {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [statusLine = '', ...lines] = this.#text.slice(0, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const status = Number(statusLine.split(' ')[1]);
    const length = status === 100 ? 0 : Number(headers['content-length'] ?? Number.NaN);
    const start = end + 4;
    if (!(this.#text.length >= start + length)) return undefined;
    const body = this.#text.slice(start, start + length);
    this.#text = this.#text.slice(start + length);
    return { status, headers, body };
  }
}
