// SPDX-License-Identifier: Apache-2.0

/**
 * What is seen while a phase runs, once a second: on a terminal a small table drawn over itself, elsewhere one plain
 * line at a time.
 */

import { percentiles } from './load/percentile.ts';
import type { UnderWay } from './load/load.ts';
import type { TenantTally } from './load/tally.ts';
import { columns, countText, durationText } from './quantity-text.ts';

/** One tenant at this moment; rates are over the last second, the rest over the phase so far. */
export interface LiveTenant extends UnderWay {
  readonly name: string;
  readonly tokensPerS: number;
  readonly ttftP50Ms: number | null;
  readonly ttftP99Ms: number | null;
  readonly ok: number;
  readonly failed: number;
}

/** One tenant's line from its tally so far. */
export function liveTenant(parts: {
  readonly name: string;
  readonly tally: TenantTally;
  readonly underWay: UnderWay;
  readonly tokensPerS: number;
}): LiveTenant {
  const { name, tally, underWay, tokensPerS } = parts;
  const ttft = percentiles(tally.ttftMs);
  return {
    name,
    waiting: underWay.waiting,
    running: underWay.running,
    tokensPerS,
    ttftP50Ms: ttft.p50,
    ttftP99Ms: ttft.p99,
    ok: tally.ok,
    failed: tally.failed,
  };
}

/** Where text goes; a terminal says so. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export class LiveView {
  readonly #output: Output;
  /** Lines of the last drawing that the next one replaces. */
  #drawn = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#drawn = 0;
    this.#output.write(`${line}\n`);
  }

  /** The figures of this second. */
  show(label: string, tenants: readonly LiveTenant[]): void {
    if (this.#output.isTTY !== true) {
      this.#output.write(`${label}: ${tenants.map(sentence).join(' | ')}\n`);
      return;
    }
    const lines = [`  ${label}`, ...columns([header, ...tenants.map(cells)], 1).map((line) => `  ${line}`)];
    // Up over the last drawing, and clear from there to the end of the screen.
    const over = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`;
    this.#output.write(`${over}${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}

const header = ['tenant', 'tokens/s', 'running', 'waiting', 'TTFT p50', 'p99', 'ok', 'failed'];

function cells(tenant: LiveTenant): string[] {
  return [
    tenant.name,
    countText(tenant.tokensPerS),
    String(tenant.running),
    String(tenant.waiting),
    durationText(tenant.ttftP50Ms),
    durationText(tenant.ttftP99Ms),
    String(tenant.ok),
    String(tenant.failed),
  ];
}

function sentence(tenant: LiveTenant): string {
  const failed = tenant.failed === 0 ? '' : `, ${tenant.failed} failed`;
  return (
    `${tenant.name} ${countText(tenant.tokensPerS)} tokens/s, ${tenant.running} running, ${tenant.waiting} waiting, ` +
    `TTFT p50 ${durationText(tenant.ttftP50Ms)} p99 ${durationText(tenant.ttftP99Ms)}${failed}`
  );
}
