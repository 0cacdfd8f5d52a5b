// SPDX-License-Identifier: Apache-2.0

/** A name server for one test: answers real questions over UDP (RFC 1035) with what the test wants, right or wrong. */

import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Loopback } from './loopback.ts';

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const;

const RCODES = { 'server failure': 2, 'no such name': 3 } as const;

interface Common {
  readonly ttl: number;
}

/** One record of an answer. */
export type DnsRecord =
  | (Common & { readonly type: 'A'; readonly address: string })
  | (Common & { readonly type: 'AAAA'; readonly address: string })
  | (Common & { readonly type: 'SRV'; readonly target: string; readonly port: number; readonly priority?: number });

/** What is answered: records, an error, bytes that are no answer, or nothing at all. */
export type DnsAnswer = readonly DnsRecord[] | keyof typeof RCODES | 'garbage' | 'silence';

export class DnsServer {
  readonly #socket: Socket = createSocket('udp4');
  readonly #answers = new Map<string, DnsAnswer>();
  /** Every question, as `A name`. */
  readonly asked: string[] = [];

  /** `address:port`, as configurations have it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  /** What is answered to questions for a name from now on; a type without records is answered with none. */
  set(name: string, answer: DnsAnswer): void {
    this.#answers.set(name, answer);
  }

  async listen(): Promise<void> {
    this.#socket.on('message', (question, { port, address }) => {
      const reply = this.#reply(question);
      if (reply !== undefined) this.#socket.send(reply, port, address);
    });
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
  }

  close(): void {
    this.#socket.close();
  }

  #reply(question: Buffer): Buffer | undefined {
    const { name, end } = readName(question, 12);
    const type = question.readUInt16BE(end);
    const typeName = Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? String(type);
    this.asked.push(`${typeName} ${name}`);
    const answer = this.#answers.get(name) ?? 'no such name';
    if (answer === 'silence') return undefined;
    if (answer === 'garbage') return Buffer.concat([question.subarray(0, 2), Buffer.alloc(40, 0xff)]);
    const records = typeof answer === 'string' ? [] : answer.filter((record) => record.type === typeName);
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | (typeof answer === 'string' ? RCODES[answer] : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, question.subarray(12, end + 4), ...records.map(encode)]);
  }
}

/** A server that is closed at the end of the test. */
export async function startDns(loopback: Loopback): Promise<DnsServer> {
  const server = new DnsServer();
  await server.listen();
  loopback.atEnd(() => server.close());
  return server;
}

function readName(packet: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = packet[at]!; length > 0; length = packet[at]!) {
    labels.push(packet.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function encode(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const head = Buffer.alloc(12);
  // The name of the question, which is where the packet's header ends.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(TYPES[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(record.ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf(record: DnsRecord): Buffer {
  if (record.type === 'A') return Buffer.from(record.address.split('.').map(Number));
  if (record.type === 'AAAA') {
    // Only `::x` is needed here.
    const data = Buffer.alloc(16);
    data.writeUInt16BE(Number.parseInt(record.address.slice(2), 16), 14);
    return data;
  }
  const fixed = Buffer.alloc(6);
  fixed.writeUInt16BE(record.priority ?? 0, 0);
  fixed.writeUInt16BE(record.port, 4);
  const labels = record.target
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([fixed, ...labels, Buffer.from([0])]);
}
