// SPDX-License-Identifier: Apache-2.0

/** Keys and certificates for model servers, read once for all endpoints, those included that are still to be found. */

import type { EndpointConfig, MetricsSourceConfig, ResolvedConfig, TlsConfig } from '../config/resolved.ts';
import { apiKeys } from './api-keys.ts';
import { TlsFiles } from './tls-files.ts';
import type { UpstreamTls } from './tls-files.ts';

type AccessConfig = Pick<ResolvedConfig, 'endpoints' | 'dnsEndpoints' | 'metricsSource'>;

/** What servers are shown and believed by. */
export interface Access {
  readonly keyOf: (config: EndpointConfig) => string | undefined;
  readonly tlsOf: (config: EndpointConfig) => UpstreamTls | undefined;
  readonly tlsOfMetrics: (source: MetricsSourceConfig) => UpstreamTls | undefined;
}

/**
 * Reads every key and certificate that a configuration names, so that nothing is missing once it runs.
 *
 * @throws {Error} naming whose key or certificate cannot be used.
 */
export function accessFor(config: AccessConfig, environment: Readonly<Record<string, string | undefined>>): Access {
  const files = new TlsFiles();
  const known = [...config.endpoints, ...(config.dnsEndpoints ?? []).map(({ template }) => template)];
  const read = (whose: string, tls: TlsConfig | undefined): UpstreamTls | undefined => {
    try {
      return tls && files.optionsFor(tls);
    } catch (error) {
      throw new Error(`${whose}: ${(error as Error).message}`, { cause: error });
    }
  };
  const access: Access = {
    keyOf: apiKeys(known, environment),
    tlsOf: ({ name, tls }) => read(`endpoint ${name}`, tls),
    tlsOfMetrics: ({ scheme, tls }) => (scheme === 'https' ? read('metrics-data-source', tls) : undefined),
  };
  if (config.metricsSource !== undefined) access.tlsOfMetrics(config.metricsSource);
  for (const endpoint of known) access.tlsOf(endpoint);
  return access;
}
