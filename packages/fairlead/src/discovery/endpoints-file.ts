// SPDX-License-Identifier: Apache-2.0

/**
 * The endpoints file of `file-discovery`, in the reference's format: `endpoints: [{name, namespace, address, port,
 * labels}]` as YAML or JSON. The first problems are told at once, each with its line, and how many more there are. Beyond the reference: IPv6 addresses,
 * and ports as numbers. As there, fields that nobody knows are ignored.
 */

import { isIP, isIPv6 } from 'node:net';
import { dotted, shown } from '@fairlead/core';
import type { Path } from '@fairlead/core';
import { isNode, LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { EndpointConfig } from '../config/resolved.ts';

/** A larger file is refused, as in the reference. */
export const MAX_FILE_BYTES = 1024 * 1024;

const MAX_NAME_LENGTH = 253;
/** Problems that are told at most: a file of something else has one in every line. */
const MAX_PROBLEMS = 20;
const MAX_ALIASES = 100;
const DEFAULT_NAMESPACE = 'default';
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;

/** What a file says, or what is wrong with it, as `FILE:LINE:COLUMN: PATH: …`. */
export type EndpointsFile =
  { readonly endpoints: readonly EndpointConfig[] } | { readonly problems: readonly string[] };

export function parseEndpointsFile(text: string, file: string): EndpointsFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const where = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  if (document.errors.length > 0) {
    const told = document.errors.slice(0, MAX_PROBLEMS);
    const problems = told.map((error) => `${where(error.pos[0])}: ${error.message}`);
    return { problems: withRest(problems, document.errors.length, file) };
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return { problems: [`${file}: ${error instanceof Error ? error.message : String(error)}`] };
  }
  const reader = new Reader((path, message) => `${where(offsetOf(document, path))}: ${dotted(path)}: ${message}`);
  const endpoints = reader.read(content);
  return reader.found > 0 ? { problems: withRest(reader.problems, reader.found, file) } : { endpoints };
}

/** Says how many problems there are beyond those that are told. */
function withRest(problems: readonly string[], found: number, file: string): readonly string[] {
  const rest = found - problems.length;
  return rest > 0 ? [...problems, `${file}: and ${rest} more problem${rest === 1 ? '' : 's'}`] : problems;
}

class Reader {
  /** The first of them. */
  readonly problems: string[] = [];
  /** How many there are. */
  found = 0;
  readonly #describe: (path: Path, message: string) => string;
  readonly #names = new Set<string>();
  readonly #urls = new Set<string>();

  constructor(describe: (path: Path, message: string) => string) {
    this.#describe = describe;
  }

  read(content: unknown): EndpointConfig[] {
    const list = isRecord(content) ? content['endpoints'] : undefined;
    // An empty file is one that is just being written; a list that is meant to be empty says so.
    if (!Array.isArray(list)) {
      this.#problem(['endpoints'], list, 'a list; `endpoints: []` for none');
      return [];
    }
    return list.flatMap((entry: unknown, index) => this.#endpoint(['endpoints', index], entry) ?? []);
  }

  #endpoint(path: Path, entry: unknown): EndpointConfig | undefined {
    if (!isRecord(entry)) return this.#problem(path, entry, 'a mapping with name, address and port');
    const name = this.#name([...path, 'name'], entry['name']);
    const namespace = this.#name([...path, 'namespace'], entry['namespace'] ?? DEFAULT_NAMESPACE);
    const address = this.#address([...path, 'address'], entry['address']);
    const port = this.#port([...path, 'port'], entry['port']);
    const labels = this.#labels([...path, 'labels'], entry['labels'] ?? {});
    if (name === undefined || namespace === undefined || address === undefined) return undefined;
    if (port === undefined || labels === undefined) return undefined;
    const endpoint = {
      name: namespace === DEFAULT_NAMESPACE ? name : `${namespace}/${name}`,
      url: `http://${isIPv6(address) ? `[${address}]` : address}:${port}`,
      labels,
      models: [],
    };
    return this.#isUnique(path, endpoint) ? endpoint : undefined;
  }

  #isUnique(path: Path, { name, url }: EndpointConfig): boolean {
    if (this.#names.has(name)) this.#problem([...path, 'name'], name, 'a name that no other endpoint has');
    if (this.#urls.has(url)) this.#problem([...path, 'address'], url, 'an address and port that no other endpoint has');
    const isUnique = !this.#names.has(name) && !this.#urls.has(url);
    this.#names.add(name);
    this.#urls.add(url);
    return isUnique;
  }

  #name(path: Path, value: unknown): string | undefined {
    if (typeof value === 'string' && value.length <= MAX_NAME_LENGTH && PRINTABLE.test(value)) return value;
    return this.#problem(path, value, `a string of 1 to ${MAX_NAME_LENGTH} printable characters`);
  }

  #address(path: Path, value: unknown): string | undefined {
    // A zone (`fe80::1%eth0`) cannot be part of a URL.
    if (typeof value === 'string' && isIP(value) !== 0 && !value.includes('%')) return value;
    return this.#problem(path, value, 'an IPv4 or IPv6 address');
  }

  #port(path: Path, value: unknown): number | undefined {
    const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
    if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65535) return port;
    return this.#problem(path, value, 'a port from 1 to 65535');
  }

  #labels(path: Path, value: unknown): Readonly<Record<string, string>> | undefined {
    if (!isRecord(value)) return this.#problem(path, value, 'a mapping of strings');
    const entries = Object.entries(value);
    const bad = entries.filter(([, label]) => typeof label !== 'string');
    for (const [key, label] of bad)
      this.#problem([...path, key], label, 'a string (in quotes, when it looks like something else)');
    return bad.length > 0 ? undefined : (Object.fromEntries(entries) as Record<string, string>);
  }

  #problem(path: Path, value: unknown, allowed: string): undefined {
    this.found += 1;
    if (this.problems.length === MAX_PROBLEMS) return undefined;
    const got = value === undefined ? 'is missing' : `got ${shown(value)}`;
    this.problems.push(this.#describe(path, `${got}; allowed is ${allowed}`));
    return undefined;
  }
}

/** Where in the text a path begins: its key, its value, or the nearest of its parents that is there. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const start = isNode(node) ? node.range?.[0] : undefined;
    if (start !== undefined) return start;
  }
  return 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
