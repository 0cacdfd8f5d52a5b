// SPDX-License-Identifier: Apache-2.0

/** A fitted fleet as the section of a scenario, with what was measured for it beside each figure. */

import { stringify } from 'yaml';
import type { FittedFleet } from './fit-fleet.ts';

/** The section as data. */
export function fleetSection(fleet: FittedFleet): Readonly<Record<string, number | string | boolean>> {
  return {
    servers: 1,
    slots: fleet.slots,
    prefill: `${rounded(fleet.prefillMs)}ms`,
    prefillTokensPerS: rounded(fleet.prefillTokensPerS),
    prefillSlowdown: rounded(fleet.prefillSlowdown),
    prefillStopsDecode: fleet.prefillStopsDecode,
    token: `${rounded(fleet.tokenMs)}ms`,
    batchSlowdown: rounded(fleet.batchSlowdown),
    contextSlowdown: rounded(fleet.contextSlowdown),
    ...(fleet.prefixCacheTokens > 0 && {
      prefixCacheTokens: fleet.prefixCacheTokens,
      prefixCacheBlockTokens: fleet.prefixCacheBlockTokens,
    }),
    noise: rounded(Math.min(2, fleet.noise)),
  };
}

/** The section as text. */
export function fleetText(
  fleet: FittedFleet,
  { url, model }: { readonly url: string; readonly model: string },
): string {
  const more = fleet.hasMoreSlots
    ? '# slots: none of so many at once had to wait for another; there may be more.\n'
    : '';
  const cache = fleet.prefixCacheTokens > 0 ? '# prefixCacheTokens: it kept so many; it may keep more.\n' : '';
  return `# ${JSON.stringify(model)} at ${url}, as it was when it was asked. Its prefill is that of a full batch.\n${more}${cache}${stringify({ fleet: fleetSection(fleet) })}`;
}

/** To three digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
