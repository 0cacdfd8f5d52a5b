// SPDX-License-Identifier: Apache-2.0

/** What of a configuration a simulation leaves out, as far as it would come out otherwise: to be said, not guessed. */

import { involvedPlugins } from '@fairlead/core';
import type { ResolvedConfig } from '../config/resolved.ts';

/** The fields, as a file calls them, with the reason; empty when all that is set is played. */
export function notModelled({
  identity,
  inferenceObjectives,
  modelRewrites,
  scheduling,
  dnsEndpoints,
  ...config
}: ResolvedConfig): string[] {
  const given = [...config.endpoints, ...(dnsEndpoints ?? []).map(({ template }) => template)];
  const fields: (string | false)[] = [
    identity.jwt !== undefined && 'identity.jwt (tenants are those of the scenario)',
    inferenceObjectives.length > 0 && 'inferenceObjectives (priorities are those of tenants)',
    (modelRewrites ?? []).length > 0 && 'modelRewrites (all ask for one model)',
    given.some(({ labels }) => Object.keys(labels).length > 0) &&
      'labels of endpoints (the servers of a scenario have none)',
    ...involvedPlugins(scheduling)
      .filter(({ requestHeaders = [] }) => requestHeaders.length > 0)
      .map(({ name }) => `what ${name} reads of headers (requests have none)`),
  ];
  return fields.filter((field) => field !== false);
}
