// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead demo`: what flow control is for, seen and measured in a minute on one machine.
 */

import { runDemo } from '../demo/demo.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput } from './command.ts';
import { parseInteger } from './flag-values.ts';

/** Below this the phases are too short to measure anything; a day is longer than anybody watches. */
const MIN_DURATION_S = 10;
const MAX_DURATION_S = 86_400;

export const demoCommand: Command = {
  name: 'demo',
  summary:
    'Show what flow control changes: a quiet tenant beside a flood, without it, with it, and with a server killed.',
  details: `
Starts three modelled servers (8 slots each, 50 ms to the first token, then one every 10 ms) and a gateway, exactly as
\`fairlead serve\` runs without a configuration, each in a process of its own on a free port of 127.0.0.1, and sends
them real HTTP load from an interactive tenant, an agent and a batch flood. The final table holds measured figures
only. Then it goes on serving until Ctrl-C; with --json it ends by itself.

With --endpoint the same phases (but no kill) run against servers of your own. They get real requests: up to 100 at
once, of 50 to 150 tokens each.

Examples:
  fairlead demo
  fairlead demo --duration 20 --json
  fairlead demo --endpoint http://127.0.0.1:8000 --endpoint http://127.0.0.1:8001 --model llama --slots 32`,
  flags: [
    {
      name: 'duration',
      value: 'SECONDS',
      default: 60,
      summary: 'seconds from the start to the final table, at least 10',
      parse: (text) => parseInteger(text, { min: MIN_DURATION_S, max: MAX_DURATION_S }),
    },
    {
      name: 'json',
      summary: 'end by itself, with the result as one JSON object on the last line; progress goes to stderr',
    },
    {
      name: 'endpoint',
      value: 'URL',
      repeat: true,
      summary: 'a server of your own, instead of the modelled ones',
      parse: parseUrl,
    },
    { name: 'model', value: 'NAME', summary: 'what your servers serve; needed with --endpoint' },
    {
      name: 'slots',
      value: 'N',
      summary: 'sequences your servers run at once, all together; without it what the gateway learns is taken',
      parse: (text) => parseInteger(text, { min: 1, max: 1_000_000 }),
    },
    {
      name: 'seed',
      value: 'N',
      default: 1,
      summary: 'seed of arrivals and sizes',
      parse: (text) => parseInteger(text, { min: 0, max: 2 ** 32 - 1 }),
    },
  ],
  run,
};

async function run(input: CommandInput): Promise<number> {
  const { options, stdout, stderr, stop } = input;
  const endpoints = options['endpoint'] as readonly string[];
  const model = options['model'] as string | undefined;
  if (endpoints.length > 0 && model === undefined) throw new UsageError('--endpoint needs --model NAME as well');
  for (const name of ['model', 'slots']) {
    if (endpoints.length === 0 && options[name] !== undefined) {
      throw new UsageError(`--${name} is about your own servers: it needs --endpoint URL`);
    }
  }
  return await runDemo({
    durationS: options['duration'] as number,
    json: options['json'] as boolean,
    endpoints,
    model,
    slots: options['slots'] as number | undefined,
    seed: options['seed'] as number,
    stdout,
    stderr,
    stop,
  });
}

function parseUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new UsageError('allowed is an http:// or https:// URL');
  return text.replace(/\/+$/, '');
}
