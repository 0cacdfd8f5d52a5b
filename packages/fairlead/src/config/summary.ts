// SPDX-License-Identifier: Apache-2.0

/** A configuration in one line, for people. */

import type { ResolvedConfig } from './resolved.ts';

/** `2 endpoints; flow control on: virtual-token-counter-fairness-policy, …; 3 keys`. */
export function summaryOf(config: ResolvedConfig): string {
  const {
    endpoints,
    dnsEndpoints = [],
    fileDiscovery,
    flowControl,
    flowControlEnabled,
    detector,
    identity,
    inferenceObjectives,
  } = config;
  const policies = `${flowControl.defaultBand.fairness.name}, ${flowControl.defaultBand.ordering.name}, ${detector.name}`;
  const isFoundLater = dnsEndpoints.length > 0 || fileDiscovery !== undefined;
  const parts = [
    endpoints.length === 0 ? undefined : counted(endpoints.length, 'endpoint'),
    endpoints.length > 0 || isFoundLater ? undefined : 'no endpoints, so `fairlead serve` needs --endpoint',
    dnsEndpoints.length === 0 ? undefined : `endpoints behind ${counted(dnsEndpoints.length, 'name')}`,
    fileDiscovery === undefined ? undefined : `endpoints from ${fileDiscovery.path}`,
    flowControlEnabled ? `flow control on (${policies})` : `flow control off (${detector.name})`,
    flowControl.bands.length === 0 ? undefined : counted(flowControl.bands.length, 'priority band'),
    inferenceObjectives.length === 0 ? undefined : counted(inferenceObjectives.length, 'objective'),
    identity.keys.length === 0 ? 'no API keys' : counted(identity.keys.length, 'API key'),
    identity.jwt && `tokens of ${identity.jwt.issuer}`,
  ];
  return parts.filter((part) => part !== undefined).join('; ');
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
