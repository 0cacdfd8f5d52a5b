// SPDX-License-Identifier: Apache-2.0

/**
 * Who the demo lets loose on a fleet: somebody at a keyboard, an agent, and a batch job that would take everything.
 * They differ by nothing but the API key they present, and how they behave.
 */

import type { Tenant } from './load/tenant.ts';

/** A person: now and then a short answer, wanted at once. */
export const INTERACTIVE: Tenant = {
  name: 'interactive',
  apiKey: 'demo-interactive',
  arrivals: { kind: 'open', requestsPerS: 2, spacing: 'poisson' },
  outputTokens: { min: 16, max: 16 },
};

/** A program that works in steps and thinks between them. */
export const AGENT: Tenant = {
  name: 'agent',
  apiKey: 'demo-agent',
  arrivals: { kind: 'closed', loops: 3, thinkMs: 500 },
  outputTokens: { min: 40, max: 56 },
};

/** A batch job with so many workers, none of which ever pauses. */
export function batchFlood(loops: number): Tenant {
  return {
    name: 'batch',
    apiKey: 'demo-batch',
    arrivals: { kind: 'closed', loops, thinkMs: 0 },
    outputTokens: { min: 50, max: 150 },
  };
}

/** Workers of the flood in front of our own 24 slots. */
export const FLOOD_LOOPS = 100;

/** Workers that overload a fleet of `slots` as much as 100 do 24; never more than that many on somebody's servers. */
export function floodLoopsFor(slots: number): number {
  return Math.min(FLOOD_LOOPS, Math.max(8, Math.round((slots * FLOOD_LOOPS) / 24)));
}
