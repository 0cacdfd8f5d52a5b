// SPDX-License-Identifier: Apache-2.0

/** `fairlead status`: what a running gateway is doing, as tables; `/state` for people. */

import { setTimeout as wait } from 'node:timers/promises';
import type { StateDocument } from '../admin/state.ts';
import { adminFlag, askAdmin } from './admin-client.ts';
import type { Command, CommandInput } from './command.ts';
import { statusText } from './status-text.ts';

const WATCH_INTERVAL_MS = 1_000;
/** Cursor to the top, and everything below it erased. */
const CLEAR_SCREEN = '\u001b[H\u001b[J';

export const statusCommand: Command = {
  name: 'status',
  summary: 'Show what a running gateway is doing: pools, bands, flows, endpoints.',
  details: `
Examples:
  fairlead status
  fairlead status --watch
  fairlead status --json --admin http://127.0.0.1:9090`,
  flags: [
    adminFlag,
    { name: 'json', summary: 'print the JSON document of /state' },
    { name: 'watch', summary: 'print it again every second, until Ctrl-C' },
  ],
  async run(input) {
    const { options, stdout, stop } = input;
    if (options.watch !== true) {
      stdout.write(await page(input));
      return 0;
    }
    while (!stop.aborted) {
      try {
        const text = await page(input);
        stdout.write(stdout.isTTY === true ? `${CLEAR_SCREEN}${text}` : text);
        await wait(WATCH_INTERVAL_MS, undefined, { signal: stop });
      } catch (error) {
        // Ctrl-C is how one leaves.
        if (!stop.aborted) throw error;
      }
    }
    return 0;
  },
};

async function page({ options, stop }: CommandInput): Promise<string> {
  const state = (await askAdmin({ admin: options.admin as URL, path: '/state', stop })) as StateDocument;
  return options.json === true ? `${JSON.stringify(state)}\n` : statusText(state);
}
