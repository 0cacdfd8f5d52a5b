// SPDX-License-Identifier: Apache-2.0

/** Load on one target over connections that stay open from one round to the next: a closed loop, or at a fixed rate. */

import { promptRequest } from './messages.ts';
import { RawConnection } from './raw-connection.ts';
import type { AnswerFigures } from './raw-connection.ts';

/** Tenants that the connections belong to, in turn. */
const TENANTS = 8;

export interface RawLoadOptions {
  readonly port: number;
  readonly isStream: boolean;
  readonly promptBytes: number;
  /** What an answer ends with. */
  readonly tail: string;
}

/** What came within a window. */
export interface WindowFigures {
  readonly seconds: number;
  readonly answers: readonly AnswerFigures[];
  readonly bytes: number;
}

export class RawLoad {
  readonly #options: RawLoadOptions;
  readonly #requests: readonly Buffer[];
  readonly #idle: RawConnection[] = [];
  readonly #all = new Set<RawConnection>();
  #bytes = 0;
  #answers: AnswerFigures[] = [];
  #isOn = false;
  #failure: Error | undefined;
  #onQuiet: (() => void) | undefined;
  #underWay = 0;

  constructor(options: RawLoadOptions) {
    this.#options = options;
    const { isStream, promptBytes } = options;
    this.#requests = Array.from({ length: TENANTS }, (_, tenant) => promptRequest({ tenant, isStream, promptBytes }));
  }

  /** Connections on which an answer has begun. */
  get begun(): number {
    return [...this.#all].filter(({ hasBegun }) => hasBegun).length;
  }

  /** So many connections at work, each with its next request as soon as it has an answer; begun over `overMs`. */
  async startLoops(count: number, overMs: number): Promise<void> {
    this.#isOn = true;
    for (let loop = 0; loop < count; loop += 1) {
      this.#ask(this.#take(), true);
      if (overMs > 0) await pause(overMs / count);
    }
  }

  /** One request after the other, evenly spaced, whatever became of those before. */
  startRate(perSecond: number): void {
    this.#isOn = true;
    const startMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      if (!this.#isOn) return clearInterval(timer);
      const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000);
      for (; sent < due; sent += 1) this.#ask(this.#take(), false);
    }, 1);
  }

  /** Counts for so long. @throws {Error} when anything failed since the start. */
  async window(seconds: number): Promise<WindowFigures> {
    const startMs = performance.now();
    this.#bytes = 0;
    this.#answers = [];
    await pause(seconds * 1000);
    const figures = { seconds: (performance.now() - startMs) / 1000, answers: this.#answers, bytes: this.#bytes };
    if (this.#failure !== undefined) throw this.#failure;
    return figures;
  }

  /** Asks no more; resolves when the last answer has come. */
  async quiet(): Promise<void> {
    this.#isOn = false;
    if (this.#underWay > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#onQuiet = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  destroy(): void {
    this.#isOn = false;
    for (const connection of this.#all) connection.destroy();
  }

  #take(): RawConnection {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isOpen) return idle;
      this.#all.delete(idle);
    }
    const connection = new RawConnection({
      port: this.#options.port,
      request: this.#requests[this.#all.size % TENANTS] as Buffer,
      tail: Buffer.from(this.#options.tail),
      onBytes: (count) => (this.#bytes += count),
      onFailed: (error) => {
        this.#failure ??= error;
        this.#onQuiet?.();
      },
    });
    this.#all.add(connection);
    return connection;
  }

  #ask(connection: RawConnection, isLoop: boolean): void {
    this.#underWay += 1;
    connection.ask((figures) => {
      this.#underWay -= 1;
      this.#answers.push(figures);
      if (isLoop && this.#isOn) this.#ask(connection, true);
      else this.#idle.push(connection);
      if (this.#underWay === 0) this.#onQuiet?.();
    });
  }
}

/** Resolves after so long. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
