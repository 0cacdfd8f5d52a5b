// SPDX-License-Identifier: Apache-2.0

/**
 * Reads HTTP/1.1 answers from the bytes of one connection, whichever way they are cut, without a copy of a body. Strict
 * where leniency is how messages get smuggled: lines end in CRLF, lengths are unambiguous, a coding other than
 * `chunked` is refused, and so is whatever no header may hold. What is wrong is said without a byte of the answer, which may be
 * anybody's. Heads and everything that frames a body are bounded.
 */

import { KnownTexts } from '../../sockets/known-texts.ts';
import { BadAnswer } from './answer-sink.ts';
import type { AnswerSink } from './answer-sink.ts';
import { ChunkedBody } from './chunked-body.ts';

/** A larger head of an answer is refused. */
const MAX_HEAD_BYTES = 64 * 1024;
/** Interim answers (`100`, `103`) before the real one. */
const MAX_INTERIM = 16;

const HEAD_END = Buffer.from('\r\n\r\n');
const BEGINNING = Buffer.from('HTTP/1.');
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
/** Control characters, and half a line end. */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;

/** Headers that say where a body ends or what becomes of the connection. */
const FRAMING = ['connection', 'keep-alive', 'content-length', 'transfer-encoding'] as const;

const names = new KnownTexts<(typeof FRAMING)[number] | 'other' | 'none'>((name) => {
  if (!NAME.test(name)) return 'none';
  const lower = name.toLowerCase();
  return FRAMING.find((known) => known === lower) ?? 'other';
});

/** First lines: a server says the same few again and again. */
const beginnings = new KnownTexts<{ readonly isOld: boolean; readonly status: number } | null>((line) => {
  const match = STATUS_LINE.exec(line);
  return match && { isOld: match[1] === '0', status: Number(match[2]) };
});

const NO_WORDS: readonly string[] = [];

type Phase = 'head' | 'length' | 'chunked' | 'close';

export class AnswerParser {
  #phase: Phase = 'head';
  #pieces: Buffer[] = [];
  #headBytes = 0;
  #interim = 0;
  #left = 0;
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
    this.#pieces = [];
    this.#headBytes = 0;
    this.#interim = 0;
    this.#isBodiless = method === 'HEAD';
    this.#keepAlive = false;
  }

  /**
   * Reads on. Returns how many bytes of the chunk belonged to the answer when it ended within, else -1.
   *
   * @throws {BadAnswer} after which nothing of this connection can be believed.
   */
  feed(chunk: Buffer, sink: AnswerSink): number {
    let at = 0;
    while (this.#phase === 'head') {
      const end = this.#headEnd(chunk, at);
      if (end < 0) return -1;
      const text = this.#headText(chunk, at, end);
      at = end;
      if (this.#readHead(text, sink) && this.#isEmpty()) return at;
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

  /** Just behind the empty line; -1 when it is yet to come. */
  #headEnd(chunk: Buffer, at: number): number {
    const across = this.#acrossPieces(chunk, at);
    const found = across >= 0 ? at + across : chunk.indexOf(HEAD_END, at);
    const end = across >= 0 ? found : found < 0 ? -1 : found + HEAD_END.length;
    const size = this.#headBytes + (end < 0 ? chunk.length : end) - at;
    if (size > MAX_HEAD_BYTES) throw new BadAnswer(`the head of its answer is longer than ${MAX_HEAD_BYTES} bytes`);
    if (end >= 0) return end;
    // Lent, like every chunk.
    this.#pieces.push(Buffer.from(chunk.subarray(at)));
    this.#headBytes = size;
    const first = this.#headBytes < 64 ? Buffer.concat(this.#pieces) : (this.#pieces[0] as Buffer);
    const seen = Math.min(first.length, BEGINNING.length);
    if (!first.subarray(0, seen).equals(BEGINNING.subarray(0, seen))) throw notHttp();
    return -1;
  }

  /** How many bytes of the chunk complete an empty line that began before it; -1 when none do. */
  #acrossPieces(chunk: Buffer, at: number): number {
    if (this.#headBytes === 0) return -1;
    const tail = Buffer.concat(this.#pieces.slice(-3)).subarray(-3);
    const seam = Buffer.concat([tail, chunk.subarray(at, at + 3)]);
    const found = seam.indexOf(HEAD_END);
    return found < 0 ? -1 : found + HEAD_END.length - tail.length;
  }

  /** Without its empty line. */
  #headText(chunk: Buffer, at: number, end: number): string {
    if (this.#headBytes === 0) return chunk.toString('latin1', at, end - HEAD_END.length);
    const whole = Buffer.concat([...this.#pieces, chunk.subarray(at, end)]);
    this.#pieces = [];
    this.#headBytes = 0;
    return whole.toString('latin1', 0, whole.length - HEAD_END.length);
  }

  /** False for an interim answer, behind which another head follows. */
  #readHead(text: string, sink: AnswerSink): boolean {
    const lines = text.split('\r\n');
    const beginning = beginnings.of(lines[0] as string);
    if (beginning === null) throw notHttp();
    if (FORBIDDEN.test(text)) throw new BadAnswer('the head of its answer holds a byte that none may hold');
    const headers: string[] = [];
    const framing: Framing = { isOld: beginning.isOld, length: undefined, coding: undefined, connection: '' };
    this.#hintMs = undefined;
    for (let index = 1; index < lines.length; index += 1) this.#readLine(lines[index] as string, headers, framing);
    const { status } = beginning;
    if (status === 101) throw new BadAnswer('it switches protocols, which nobody asked for');
    if (status < 200) {
      this.#interim += 1;
      if (this.#interim > MAX_INTERIM) throw new BadAnswer(`more than ${MAX_INTERIM} interim answers`);
      return false;
    }
    this.#frame(status, framing);
    sink.onHead(status, headers);
    return true;
  }

  #readLine(line: string, headers: string[], framing: Framing): void {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    const known = names.of(name);
    // A folded line begins with a blank, which no name does.
    if (known === 'none') throw new BadAnswer(`line ${headers.length / 2 + 2} of the head of its answer is no header`);
    const value = trimmed(line, colon + 1);
    headers.push(name, value);
    if (known === 'other') return;
    if (known === 'connection') framing.connection += `,${value.toLowerCase()}`;
    else if (known === 'keep-alive') this.#hintMs = hintIn(value);
    else if (known === 'transfer-encoding') {
      if (framing.coding !== undefined) throw new BadAnswer('two transfer codings');
      framing.coding = value.toLowerCase();
    } else {
      if (framing.length !== undefined) throw new BadAnswer('two lengths');
      if (!/^\d{1,15}$/.test(value)) throw new BadAnswer('the length of its answer is no number');
      framing.length = Number(value);
    }
  }

  #frame(status: number, { isOld, length, coding, connection }: Framing): void {
    if (coding !== undefined && length !== undefined) throw new BadAnswer('a length and a transfer coding');
    if (coding !== undefined && (isOld || coding !== 'chunked')) {
      throw new BadAnswer('a transfer coding other than chunked');
    }
    const words = connection === '' ? NO_WORDS : connection.split(/[\s,]+/);
    this.#keepAlive = isOld ? words.includes('keep-alive') : !words.includes('close');
    if (this.#isBodiless || status === 204 || status === 304) {
      this.#phase = 'length';
      this.#left = 0;
    } else if (coding !== undefined) {
      this.#phase = 'chunked';
      this.#chunked = new ChunkedBody();
    } else if (length !== undefined) {
      this.#phase = 'length';
      this.#left = length;
    } else {
      this.#phase = 'close';
      this.#keepAlive = false;
    }
  }

  #isEmpty(): boolean {
    return this.#phase === 'length' && this.#left === 0;
  }

  #takeLength(chunk: Buffer, at: number, sink: AnswerSink): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (end > at) sink.onBody(chunk.subarray(at, end));
    return this.#left === 0 ? end : -1;
  }
}

/** What a head says of where its body ends. */
interface Framing {
  readonly isOld: boolean;
  length: number | undefined;
  coding: string | undefined;
  connection: string;
}

function notHttp(): BadAnswer {
  return new BadAnswer('not HTTP/1.1: its answer does not begin with a status line');
}

/** The rest of a line without blanks around it; only the ends are looked at, however many there are. */
function trimmed(line: string, from: number): string {
  let end = line.length;
  while (from < end && isBlank(line.charCodeAt(from))) from += 1;
  while (end > from && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(from, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** `timeout=5` in milliseconds. */
function hintIn(value: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout=(\d{1,6})(?!\d)/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
