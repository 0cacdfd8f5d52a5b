// SPDX-License-Identifier: Apache-2.0

/**
 * Writes docs/drop-reasons.md from the core's table of drops. `test/drop-reference.test.ts` fails when the page is not
 * what this would write.
 *
 *     node --conditions=development tools/drop-reference.ts
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DROPS, OUTCOMES } from '@fairlead/core';
import type { Drop, DropCause } from '@fairlead/core';
import prettier from 'prettier';

/** Where the page is kept. */
export const dropReferencePath = path.join(path.dirname(import.meta.dirname), 'docs', 'drop-reasons.md');

/** What somebody can do about it. The compiler wants a line for each cause. */
const REMEDIES: Readonly<Record<DropCause, string>> = {
  capacity:
    'Its flow, its band or the whole queue is full. Come back after `Retry-After`; for more room see `flowControl.maxRequests`, `maxBytes` and `maxFlowShare`.',
  deadline:
    'Its client would have left before its turn, by the time it sends (`x-stainless-timeout` and relatives). Come back after `Retry-After`, or be more patient.',
  deadlineInQueue: 'It came to its turn too late for its client. Come back after `Retry-After`, or be more patient.',
  noEndpoints: 'The queue is full and no server is up: look at `endpoints` in `/state`.',
  cancelledBeforeQueue: 'The client left; nobody reads this answer.',
  shuttingDown: 'Send it to another replica, or again in a moment.',
  ttl: 'It waited for `flowControl.defaultRequestTTL` (or its own `x-fairlead-ttl-ms`) without a turn: the servers are too few for this load, or others go first.',
  ttlNoEndpoints: 'No server was up for `flowControl.noEndpointRequestTTL`: look at `endpoints` in `/state`.',
  cancelled: 'The client left while it waited; nobody reads this answer.',
  evictedShuttingDown: 'The drain timeout was over before its turn. Send it to another replica, or again in a moment.',
  internal: 'A defect, or a plugin that failed: the log has the error.',
};

const introduction = `# Drop reasons

<!-- Written by tools/drop-reference.ts from the table in the core: change that, then run it. -->

A request that is not dispatched is told why, once: an HTTP status, a reason in \`x-llm-d-request-dropped-reason\`, and a
sentence in the error body of its own API. 429 means contention (there are servers, and others were before you), 503 that
nothing is there to serve it. Both have a \`Retry-After\`. The outcome is the label that
\`llm_d_epp_flow_control_requests_total\` counts it under.`;

/** The text of the page. */
export async function dropReference(): Promise<string> {
  const rows = Object.entries(DROPS).map(([cause, drop]) => row(drop, REMEDIES[cause as DropCause]));
  const table = [
    '| Reason | Status | Outcome | What happened | Worth a retry | What to do |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ];
  const outcomes = `Outcomes: ${OUTCOMES.map((outcome) => `\`${outcome}\``).join(', ')}.`;
  const page = [introduction, table.join('\n'), outcomes].join('\n\n');
  return prettier.format(page, { parser: 'markdown', printWidth: 120 });
}

function row({ reason, status, outcome, message, retryable }: Drop, remedy: string): string {
  const cells = [reason === undefined ? 'none' : `\`${reason}\``, status, `\`${outcome}\``, message];
  return `| ${[...cells, retryable ? 'yes' : 'no', remedy].join(' | ')} |`;
}

if (import.meta.main) writeFileSync(dropReferencePath, await dropReference());
