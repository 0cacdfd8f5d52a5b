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
import { KeptHead, RepeatedHeads } from '../../sockets/repeated-heads.ts';

/** Takes an answer in this order: one `onHead`, any number of `onBody`, whose chunks are only lent: the next read overwrites them. */
export interface AnswerSink extends BodySink {
  /**
   * `headers`: names and values in turn, as they came, each byte a character, but for the length of the body, which is
   * undefined when the head does not say it. Of a head that repeats it is the same list.
   */
  onHead(status: number, headers: readonly string[], lengthBytes: number | undefined): void;
}

/** What is made of a final head once, however often it comes. */
export interface AnswerHeadRead {
  readonly status: number;
  readonly headers: readonly string[];
  readonly isChunked: boolean;
  readonly keepAlive: boolean;
  readonly hintMs: number | undefined;
}

/** A server has so many different heads at a time: of answers in one piece, of streams, of what it tells of itself. */
const MOST_HEADS = 4;

/** The heads that a server says again and again, over all of its connections. */
export function repeatedHeads(): RepeatedHeads<AnswerHeadRead> {
  return new RepeatedHeads(MOST_HEADS);
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
  readonly #repeated: RepeatedHeads<AnswerHeadRead>;
  #phase: Phase = 'head';
  readonly #collector = new HeadCollector();
  #interim = 0;
  /** Bytes of the body that are yet to come. */
  #leftBytes = 0;
  #chunked: ChunkedBody | undefined;
  #isBodiless = false;
  #keepAlive = false;
  #hintMs: number | undefined;

  /** `repeated`: of the server that answers. */
  constructor(repeated: RepeatedHeads<AnswerHeadRead>) {
    this.#repeated = repeated;
  }

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
    this.#collector.clear();
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
      at = this.#takeHead(chunk, at, sink);
      if (at < 0) return -1;
      if (this.#isEmpty()) return at;
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

  /** Where the head ends that begins, or goes on, at `at`; -1: there is more of it. */
  #takeHead(chunk: Buffer, at: number, sink: AnswerSink): number {
    const isNew = this.#collector.bytes === 0;
    const found = isNew ? this.#repeated.find(chunk, at) : -1;
    if (found >= 0) {
      this.#begun(this.#repeated.head, this.#repeated.lengthBytes, sink);
      return found;
    }
    const end = this.#collector.take(chunk, at, MAX_HEAD_BYTES);
    if (end < 0) {
      if (!BEGINNING.startsWith(this.#collector.beginning(BEGINNING.length))) throw notHttp();
      return -1;
    }
    const { text } = this.#collector;
    this.#collector.clear();
    const { isInterim, lengthBytes, ...head } = readHead(text);
    if (isInterim) {
      this.#interim += 1;
      if (this.#interim > MAX_INTERIM) throw new BadMessage(`more than ${MAX_INTERIM} interim answers`);
      return end;
    }
    const bytes = chunk.subarray(at, end);
    if (isNew && this.#repeated.isWorthKeeping(bytes)) this.#repeated.keep(new KeptHead(bytes, head, lengthBytes));
    this.#begun(head, lengthBytes, sink);
    return end;
  }

  /** The head is whole: from here on its body comes. */
  #begun(head: AnswerHeadRead, lengthBytes: number | undefined, sink: AnswerSink): void {
    const { status, headers, isChunked, keepAlive, hintMs } = head;
    this.#keepAlive = keepAlive;
    this.#hintMs = hintMs;
    if (this.#isBodiless || status === 204 || status === 304) {
      this.#phase = 'length';
      this.#leftBytes = 0;
    } else if (isChunked) {
      this.#phase = 'chunked';
      this.#chunked = new ChunkedBody();
    } else if (lengthBytes !== undefined) {
      this.#phase = 'length';
      this.#leftBytes = lengthBytes;
    } else {
      this.#phase = 'close';
      this.#keepAlive = false;
    }
    sink.onHead(status, headers, lengthBytes);
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

/** A head, final or not, and the length of the body that it gives. */
interface ReadHead extends AnswerHeadRead {
  readonly isInterim: boolean;
  readonly lengthBytes: number | undefined;
}

/** @throws {BadMessage} */
function readHead(text: string): ReadHead {
  const lineEnd = text.indexOf('\r\n');
  const beginning = beginnings.of(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (beginning === null) throw notHttp();
  const { status, isHttp10 } = beginning;
  if (status === 101) throw new BadMessage('it switches protocols, which nobody asked for');
  const headers: string[] = [];
  const framing: Framing = { lengthBytes: undefined, coding: undefined, connection: '', hintMs: undefined };
  const lines = headerLines(text);
  for (let at = 0; at < lines.length; at += 2) {
    const name = lines[at] as string;
    const value = lines[at + 1] as string;
    const role = names.of(name);
    if (role === 'none') throw badLine(at / 2);
    if (role !== 'other') readFraming(framing, role, value);
    if (role !== 'content-length') headers.push(name, value);
  }
  const { lengthBytes, coding, connection, hintMs } = framing;
  if (coding !== undefined && lengthBytes !== undefined) throw new BadMessage('a length and a transfer coding');
  if (coding !== undefined && (isHttp10 || coding !== 'chunked')) {
    throw new BadMessage('a transfer coding other than chunked');
  }
  const words = connection === '' ? NO_WORDS : connection.split(/[\s,]+/);
  const keepAlive = isHttp10 ? words.includes('keep-alive') : !words.includes('close');
  return { isInterim: status < 200, status, headers, isChunked: coding !== undefined, lengthBytes, keepAlive, hintMs };
}

/** What a head says of where its body ends and of what becomes of the connection. */
interface Framing {
  lengthBytes: number | undefined;
  coding: string | undefined;
  connection: string;
  hintMs: number | undefined;
}

function readFraming(framing: Framing, role: (typeof FRAMING)[number], value: string): void {
  if (role === 'connection') framing.connection += `,${value.toLowerCase()}`;
  else if (role === 'keep-alive') framing.hintMs = hintIn(value);
  else if (role === 'transfer-encoding') {
    if (framing.coding !== undefined) throw new BadMessage('two transfer codings');
    framing.coding = value.toLowerCase();
  } else {
    if (framing.lengthBytes !== undefined) throw new BadMessage('two lengths');
    if (!/^\d{1,15}$/.test(value)) throw new BadMessage('the length of its answer is no number');
    framing.lengthBytes = Number(value);
  }
}

function notHttp(): BadMessage {
  return new BadMessage('not HTTP/1.1: its answer does not begin with a status line');
}

/** `timeout=5` in milliseconds. */
function hintIn(value: string): number | undefined {
  const seconds = /(?:^|[\s,;])timeout=(\d{1,6})(?!\d)/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
