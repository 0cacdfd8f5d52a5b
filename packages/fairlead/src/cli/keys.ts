// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead keys new|hash`: API keys for `identity.keys`. The gateway only ever knows the hash of a key; this is where
 * one comes from. A key is read from standard input or from a prompt, never from the command line, which every other
 * user of the machine can read.
 */

import { randomBytes } from 'node:crypto';
import { halfCheckParameters } from '@fairlead/core';
import type { Problem } from '@fairlead/core';
import { stringify } from 'yaml';
import { keyFields } from '../config/schema-gateway.ts';
import { hashKey } from '../tenancy/hash-key.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput, Flag } from './command.ts';
import { readSecret } from './read-secret.ts';
import type { SecretInput } from './read-secret.ts';

/** Says of a stray key whose it is, in logs and in scanners for leaked secrets. */
const PREFIX = 'flk_';
/** As many as no guessing reaches: 256 bits. */
const RANDOM_BYTES = 32;

export const keysCommand: Command = createKeysCommand(process.stdin);

/** `stdin` is where `hash` reads a key from. */
export function createKeysCommand(stdin: SecretInput): Command {
  return {
    name: 'keys',
    summary: 'Make an API key, or hash one, for identity.keys of the configuration.',
    details: `
\`new\` makes a random key and prints it, this once, with its SHA-256; \`hash\` reads a key from standard input, or asks for
it when that is a terminal, and prints its SHA-256. With --tenant both print the entry for \`identity.keys\`, ready to paste.

Examples:
  fairlead keys new --tenant alice --priority 10
  fairlead keys new --tenant alice --json
  fairlead keys hash < key.txt
  pass show llm/alice | fairlead keys hash --tenant alice`,
    argument: { name: 'ACTION', summary: 'new or hash', required: true, passesMore: true },
    flags: [
      { name: 'json', summary: 'print {"schema":1,"key":"…","sha256":"…","entry":{…}} instead (key only with new)' },
      entryFlag('tenant', 'NAME', 'whose key it is: print its whole entry'),
      entryFlag('priority', 'N', 'the band of its requests, an integer'),
      entryFlag('weight', 'N', 'its share relative to other tenants, a number'),
      entryFlag('max-in-flight', 'N', 'requests at model servers at once, an integer'),
      entryFlag('tokens-per-minute', 'N', 'tokens a minute, prompts and answers, such as 60k'),
      entryFlag('burst-tokens', 'N', 'tokens at once after a silence, such as 10k'),
    ],
    run: (input) => run(input, stdin),
  };
}

type EntryField = Exclude<keyof typeof keyFields, 'sha256' | 'hash'>;

/** A flag that becomes a field of the entry, checked as the configuration checks it. */
function entryFlag(name: string, value: string, summary: string): Flag {
  const field = camelCase(name);
  const parse = (text: string): unknown => {
    const isText = keyFields[field].type === 'string' || keyFields[field].type === 'quantity';
    const given = isText || text.trim() === '' ? text : Number(text);
    const problems: Problem[] = [];
    halfCheckParameters({ [field]: keyFields[field] }, { [field]: given }, { path: [], problems });
    if (problems.length > 0) throw new UsageError(`allowed is ${problems[0]?.allowed}`);
    return given;
  };
  return { name, value, summary, parse };
}

function camelCase(name: string): EntryField {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) as EntryField;
}

async function run(input: CommandInput, stdin: SecretInput): Promise<number> {
  const { options, stdout, stderr } = input;
  const [action, ...more] = input.arguments;
  if (action !== 'new' && action !== 'hash') throw new UsageError('ACTION: allowed is new or hash');
  if (more.length > 0) {
    // What was typed may be a secret, and is not repeated.
    throw new UsageError(
      'a key is not taken from the command line, where other users of the machine and the shell history see it: ' +
        'give it on standard input, or at the prompt',
    );
  }
  const entry = entryOf(options);
  const key = action === 'new' ? PREFIX + randomBytes(RANDOM_BYTES).toString('base64url') : undefined;
  const sha256 = hashKey(key ?? (await readSecret(stdin, { prompt: 'API key: ', stderr, stop: input.stop })));
  stdout.write(options['json'] === true ? json(key, sha256, entry) : text(key, sha256, entry));
  return 0;
}

/** The fields of the entry beside the hash; undefined without a tenant. */
function entryOf(options: CommandInput['options']): Record<string, unknown> | undefined {
  const fields = (['tenant', 'priority', 'weight', 'maxInFlight', 'tokensPerMinute', 'burstTokens'] as const)
    .map((field) => [field, options[field]] as const)
    .filter(([, value]) => value !== undefined);
  if (fields.length > 0 && options['tenant'] === undefined) {
    throw new UsageError(`--tenant is missing: the other fields of an entry say something of a tenant`);
  }
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}

function json(key: string | undefined, sha256: string, entry: Record<string, unknown> | undefined): string {
  const document = { schema: 1, key, sha256, entry: entry && { sha256, ...entry } };
  return `${JSON.stringify(document)}\n`;
}

function text(key: string | undefined, sha256: string, entry: Record<string, unknown> | undefined): string {
  const shown = entry === undefined ? `sha256: ${sha256}\n` : indented(stringify([{ sha256, ...entry }]));
  if (key === undefined) return shown;
  const what = entry === undefined ? 'Its line in an entry of identity.keys' : 'Its entry below identity.keys';
  return `The key, shown only this once:\n\n${key}\n\n${what}:\n\n${shown}`;
}

/** As far in as a list stands below `identity:` and `keys:`. */
function indented(yaml: string): string {
  return yaml.replace(/^(?=.)/gm, '    ');
}
