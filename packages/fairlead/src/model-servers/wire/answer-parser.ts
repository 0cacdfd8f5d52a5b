// SPDX-License-Identifier: Apache-2.0

/**
 * Reads HTTP/1.1 answers from the bytes of one connection, whichever way they are cut, without a copy of a body. Strict
 * where leniency is how messages get smuggled: lines end in CRLF, lengths are unambiguous, a coding other than
 * `chunked` is refused, and so is whatever no header may hold. What is wrong is said without a byte of the answer, which may be
 * anybody's. Heads and everything that frames a body are bounded.
 */

import { BadMessage } from '../../sockets/bad-message.ts';
import { ChunkedBody } from '../../sockets/chunked-body.ts';
import type { BodySink } from '../../sockets/chunked-body.ts';
import { HeadCollector } from '../../sockets/head-collector.ts';
import { TOKEN, badLine, headerLines } from '../../sockets/header-lines.ts';
import { KnownTexts } from '../../sockets/known-texts.ts';

/** Takes an answer in this order: one `onHead`, any number of `onBody`, whose chunks are only lent: the next read overwrites them. */
export interface AnswerSink extends BodySink {
  /** Names and values in turn, as they came, each byte a character. */
  onHead(status: number, headers: string[]): void;
}

/** A larger head of an answer is refused. */
const MAX_HEAD_BYTES = 64 * 1024;
/** Interim answers (`100`, `103`) before the real one. */
const MAX_INTERIM = 16;

const BEGINNING = 'HTTP/1.';
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;

/** Headers that say where a body ends or what becomes of the connection. */
const FRAMING = ['connection', 'keep-alive', 'content-length', 'transfer-encoding'] as const;

const names = new KnownTexts<(typeof FRAMING)[number] | 'other' | 'none'>((name) => {
  if (!TOKEN.test(name)) return 'none';
  const lower = name.toLowerCase();
  return FRAMING.find((known) => known === lower) ?? 'other';
});

/** First lines: a server says the same few again and again. */
const beginnings = new KnownTexts<{ readonly isHttp10: boolean; readonly status: number } | null>((line) => {
  const match = STATUS_LINE.exec(line);
  return match && { isHttp10: match[1] === '0', status: Number(match[2]) };
});

const NO_WORDS: readonly string[] = [];

type Phase = 'head' | 'length' | 'chunked' | 'close';

export class AnswerParser {
  #phase: Phase = 'head';
  readonly #head = new HeadCollector();
  #interim = 0;
  /** Bytes of the body that are yet to come. */
  #leftBytes = 0;
  #chunked: ChunkedBody | undefined;
  #isBodiless = false;
  #keepAlive = false;
  #hintMs: number | undefined;

  /** Whether the server keeps the connection after the answer that has just ended. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** How long it says that it keeps it idle. */
  get hintMs(): number | undefined {
    return this.#hintMs;
  }

  /** Forgets the last answer; the next belongs to a request of this method. */
  begin(method: string): void {
    this.#phase = 'head';
    this.#head.clear();
    this.#interim = 0;
    this.#isBodiless = method === 'HEAD';
    this.#keepAlive = false;
  }

  /**
   * Reads on. Returns how many bytes of the chunk belonged to the answer when it ended within, else -1.
   *
   * @throws {BadMessage} after which nothing of this connection can be believed.
   */
  feed(chunk: Buffer, sink: AnswerSink): number {
    let at = 0;
    while (this.#phase === 'head') {
      const end = this.#head.take(chunk, at, MAX_HEAD_BYTES);
      if (end < 0) {
        if (!BEGINNING.startsWith(this.#head.beginning(BEGINNING.length))) throw notHttp();
        return -1;
      }
      at = end;
      const isFinal = this.#readHead(this.#head.text, sink);
      this.#head.clear();
      if (isFinal && this.#isEmpty()) return at;
    }
    if (this.#phase === 'length') return this.#takeLength(chunk, at, sink);
    if (this.#phase === 'chunked') return (this.#chunked as ChunkedBody).take(chunk, at, sink);
    if (at < chunk.length) sink.onBody(chunk.subarray(at));
    return -1;
  }

  /** The connection ended: whether that is where the answer ends. */
  endsHere(): boolean {
    return this.#phase === 'close';
  }

  /** False for an interim answer, behind which another head follows. */
  #readHead(text: string, sink: AnswerSink): boolean {
    const lineEnd = text.indexOf('\r\n');
    const beginning = beginnings.of(lineEnd < 0 ? text : text.slice(0, lineEnd));
    if (beginning === null) throw notHttp();
    const headers = headerLines(text);
    const framing: Framing = {
      isHttp10: beginning.isHttp10,
      lengthBytes: undefined,
      coding: undefined,
      connection: '',
    };
    this.#hintMs = undefined;
    for (let at = 0; at < headers.length; at += 2) this.#readHeader(headers, at, framing);
    const { status } = beginning;
    if (status === 101) throw new BadMessage('it switches protocols, which nobody asked for');
    if (status < 200) {
      this.#interim += 1;
      if (this.#interim > MAX_INTERIM) throw new BadMessage(`more than ${MAX_INTERIM} interim answers`);
      return false;
    }
    this.#frame(status, framing);
    sink.onHead(status, headers);
    return true;
  }

  #readHeader(headers: readonly string[], at: number, framing: Framing): void {
    const known = names.of(headers[at] as string);
    if (known === 'none') throw badLine(at / 2);
    const value = headers[at + 1] as string;
    if (known === 'other') return;
    if (known === 'connection') framing.connection += `,${value.toLowerCase()}`;
    else if (known === 'keep-alive') this.#hintMs = hintIn(value);
    else if (known === 'transfer-encoding') {
      if (framing.coding !== undefined) throw new BadMessage('two transfer codings');
      framing.coding = value.toLowerCase();
    } else {
      if (framing.lengthBytes !== undefined) throw new BadMessage('two lengths');
      if (!/^\d{1,15}$/.test(value)) throw new BadMessage('the length of its answer is no number');
      framing.lengthBytes = Number(value);
    }
  }

  #frame(status: number, { isHttp10, lengthBytes, coding, connection }: Framing): void {
    if (coding !== undefined && lengthBytes !== undefined) throw new BadMessage('a length and a transfer coding');
    if (coding !== undefined && (isHttp10 || coding !== 'chunked')) {
      throw new BadMessage('a transfer coding other than chunked');
    }
    const words = connection === '' ? NO_WORDS : connection.split(/[\s,]+/);
    this.#keepAlive = isHttp10 ? words.includes('keep-alive') : !words.includes('close');
    if (this.#isBodiless || status === 204 || status === 304) {
      this.#phase = 'length';
      this.#leftBytes = 0;
    } else if (coding !== undefined) {
      this.#phase = 'chunked';
      this.#chunked = new ChunkedBody();
    } else if (lengthBytes !== undefined) {
      this.#phase = 'length';
      this.#leftBytes = lengthBytes;
    } else {
      this.#phase = 'close';
      this.#keepAlive = false;
    }
  }

  #isEmpty(): boolean {
    return this.#phase === 'length' && this.#leftBytes === 0;
  }

  #takeLength(chunk: Buffer, at: number, sink: AnswerSink): number {
    const end = Math.min(chunk.length, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    if (end > at) sink.onBody(chunk.subarray(at, end));
    return this.#leftBytes === 0 ? end : -1;
  }
}

/** What a head says of where its body ends. */
interface Framing {
  readonly isHttp10: boolean;
  lengthBytes: number | undefined;
  coding: string | undefined;
  connection: string;
}

function notHttp(): BadMessage {
  return new BadMessage('not HTTP/1.1: its answer does not begin with a status line');
}

/** `timeout=5` in milliseconds. */
function hintIn(value: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout=(\d{1,6})(?!\d)/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
