// SPDX-License-Identifier: Apache-2.0

/** `fairlead bypass on|off`: the switch for the bad night. While on, a running gateway dispatches everything at once. */

import type { StateDocument } from '../admin/state.ts';
import { adminFlag, askAdmin } from './admin-client.ts';
import { UsageError } from './command.ts';
import type { Command } from './command.ts';

export const bypassCommand: Command = {
  name: 'bypass',
  summary: 'Switch flow control of a running gateway off and on again.',
  details: `
While bypass is on, every request is dispatched as it comes: nothing waits, nobody is protected. What waited is sent
at once. It works on the machine itself only, says so in the log and shows as the gauge fairlead_bypass; a restart
switches it off.

Examples:
  fairlead bypass on
  fairlead bypass off --admin http://127.0.0.1:9090`,
  argument: { name: 'on|off', summary: 'on: dispatch everything; off: flow control decides', required: true },
  flags: [adminFlag],
  async run({ options, arguments: words, stdout, stop }) {
    const [word] = words;
    if (word !== 'on' && word !== 'off') throw new UsageError(`allowed is on or off, got ${JSON.stringify(word)}`);
    const on = word === 'on';
    const state = (await askAdmin({
      admin: options.admin as URL,
      path: '/bypass',
      body: { on },
      stop,
    })) as StateDocument;
    const waiting = state.pools.reduce((sum, pool) => sum + pool.waiting, 0);
    stdout.write(
      state.bypass
        ? `bypass is on: everything is dispatched at once, ${waiting} waiting\n`
        : `bypass is off: flow control decides, ${waiting} waiting\n`,
    );
    return state.bypass === on ? 0 : 1;
  },
};
