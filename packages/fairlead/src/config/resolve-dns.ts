// SPDX-License-Identifier: Apache-2.0

/** Entries of `endpoints` whose host is a name that stands for many. */

import { isIP } from 'node:net';
import type { HalfCheckedOf, Path } from '@fairlead/core';
import type { Resolution } from './resolution.ts';
import type { DnsEndpointsConfig, EndpointConfig } from './resolved.ts';
import type { dnsFields } from './schema-endpoints.ts';

type Given = HalfCheckedOf<typeof dnsFields>;

/** What is asked of DNS for an entry; its certificate has to hold the name, not the address that it is reached at. */
export function resolveDns(
  { problems }: Resolution,
  entry: { readonly dns: Given; readonly config: EndpointConfig; readonly path: Path },
): DnsEndpointsConfig {
  const { dns, config, path } = entry;
  const { hostname, port, protocol } = new URL(config.url);
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) {
    problems.push({ path: [...path, 'dns'], message: 'is of no use: the host of the URL is an address', at: 'key' });
  }
  if (dns.records === 'srv' && port !== '') {
    const message = 'must not have a port: with `records: srv` the ports stand in the records';
    problems.push({ path: [...path, 'url'], message });
  }
  const tls = config.tls ?? { insecureSkipVerify: false };
  const template =
    protocol === 'https:' ? { ...config, tls: { ...tls, serverName: tls.serverName ?? hostname } } : config;
  return {
    template,
    records: dns.records === 'srv' ? 'srv' : 'address',
    refreshIntervalMs: dns.refreshInterval,
    maxEndpoints: dns.maxEndpoints,
    servers: dns.servers.filter((server) => server !== undefined),
  };
}
