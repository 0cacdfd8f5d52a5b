// SPDX-License-Identifier: Apache-2.0

/**
 * `fairlead model-server`: a process that behaves like a vLLM server, to play with, to test and to measure against.
 * Its numeric flags and switches are the rows of the settings table.
 */

import type { ModelServer, ModelServerOptions } from '../model-server/model-server.ts';
import { startModelServer } from '../model-server/model-server.ts';
import type { Setting, Settings } from '../model-server/settings.ts';
import { allowedValues, DEFAULT_SETTINGS, SETTING_NAMES, SETTINGS } from '../model-server/settings.ts';
import { addressFault } from './address-fault.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput, Flag } from './command.ts';
import { parsePort } from './flag-values.ts';
import { stopped } from './stopped.ts';

/** Of no use without the programmatic API. */
const NOT_FLAGS: readonly (keyof Settings)[] = ['keepRequests'];

export const modelServerCommand: Command = {
  name: 'model-server',
  summary: 'Behave like a vLLM server: streaming, continuous batching, metrics, and failures on demand.',
  details: `
It loads no model: the answers are plain words, at the pace you set. By default 8 sequences run at once, the first
token comes after 50 ms and then one every 10 ms; further requests wait in its own queue, as in a real engine.
When it is ready it prints one line: model server NAME listening on http://HOST:PORT

Examples:
  fairlead model-server --port 8000 --model llama
  fairlead model-server --port 0 --max-num-seqs 4 --token-ms 25 --kv-blocks 512 --max-model-len 4096
  fairlead model-server --fail-rate 0.05 --stall-after 20 --seed 7
  fairlead model-server --control
  curl http://127.0.0.1:8000/control -d '{"unhealthy": true}'`,
  flags: [
    { name: 'host', value: 'ADDRESS', default: '127.0.0.1', summary: 'address to listen on' },
    { name: 'port', value: 'PORT', default: 8000, summary: 'port to listen on; 0 takes a free one', parse: parsePort },
    {
      name: 'model',
      value: 'NAME',
      repeat: true,
      summary: 'served model name; further ones are aliases (default: demo-model)',
    },
    { name: 'lora', value: 'NAME', repeat: true, summary: 'LoRA adapter of the first model' },
    ...SETTING_NAMES.filter((name) => !NOT_FLAGS.includes(name)).map(settingFlag),
  ],
  run,
};

async function run(input: CommandInput): Promise<number> {
  if (input.stop.aborted) return 0;
  let server: ModelServer;
  try {
    server = await startModelServer(optionsFrom(input.options));
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    const wanted = { host: input.options['host'] as string, port: input.options['port'] as number };
    const why = addressFault(error, wanted) ?? (error instanceof Error ? error.message : String(error));
    input.stderr.write(`fairlead model-server: ${why}\n`);
    return 1;
  }
  input.stdout.write(`model server ${server.models[0]} listening on ${server.url}\n`);
  await stopped(input.stop);
  await server.close();
  return 0;
}

function optionsFrom(options: CommandInput['options']): ModelServerOptions {
  const settings = Object.fromEntries(
    SETTING_NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
  return {
    ...settings,
    keepRequests: 0,
    host: options['host'] as string,
    port: options['port'] as number,
    models: (options['model'] ?? []) as string[],
    adapters: (options['lora'] ?? []) as string[],
    // A crash leaves no time for anything: nothing is flushed, nothing is closed.
    die: () => void process.kill(process.pid, 'SIGKILL'),
  };
}

function settingFlag(name: keyof Settings): Flag {
  const setting = SETTINGS[name];
  const flag = { name: name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), summary: setting.summary };
  if (setting.kind === 'switch') return flag;
  // Its real default is the smaller of this and what the KV cache holds: left to the server.
  const preset = name === 'maxModelLen' ? null : DEFAULT_SETTINGS[name];
  const parse = (text: string): unknown => parseSetting(setting, text);
  return preset === null
    ? { ...flag, value: setting.value, parse }
    : { ...flag, value: setting.value, parse, default: preset };
}

function parseSetting(setting: Setting, text: string): unknown {
  if (setting.kind === 'choice') {
    if (setting.choices.includes(text)) return text;
  } else if (setting.kind !== 'switch') {
    const number = text.trim() === '' ? NaN : Number(text);
    const whole = setting.kind === 'number' || Number.isInteger(number);
    if (whole && number >= setting.min && number <= setting.max) return number;
  }
  throw new UsageError(`allowed is ${allowedValues(setting)}`);
}
