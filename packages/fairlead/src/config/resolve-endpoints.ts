// SPDX-License-Identifier: Apache-2.0

/** The `endpoints` section and the addresses given on the command line. */

import { renderParameters } from '@fairlead/core';
import type { Path } from '@fairlead/core';
import { nameOfUrl, readEndpointUrl } from './endpoint-url.ts';
import { refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';
import { resolveDns } from './resolve-dns.ts';
import { resolveTls } from './resolve-tls.ts';
import type { DnsEndpointsConfig, EndpointConfig } from './resolved.ts';
import { dnsFields } from './schema-endpoints.ts';

/** First part of the path of what was given as `--endpoint`. */
export const ENDPOINT_FLAG = '--endpoint';

/** Endpoints as they are, and those that a name stands for. */
export interface ResolvedEndpoints {
  readonly endpoints: readonly EndpointConfig[];
  readonly dnsEndpoints: readonly DnsEndpointsConfig[];
}

export function resolveEndpoints(
  resolution: Resolution,
  urls: readonly string[],
): Section<ResolvedEndpoints, readonly unknown[]> {
  const fromFile = resolution.fields.endpoints.flatMap((fields, index) => {
    const path = ['endpoints', index];
    const url = fields?.url === undefined ? undefined : checkedUrl(resolution, fields.url, [...path, 'url']);
    if (fields === undefined || url === undefined) return [];
    const models = fields.models.filter((model) => model !== undefined);
    const { apiKeyEnv, labels } = fields;
    const name = fields.name ?? nameOfUrl(url);
    const tls = resolveTls(resolution, fields.tls, { path, url });
    const more = { ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }), ...(tls === undefined ? {} : { tls }) };
    return [{ path, dns: fields.dns, config: { url, name, labels, models, ...more } }];
  });
  const fromFlags = urls.flatMap((given, index) => {
    const path = [ENDPOINT_FLAG, index];
    const url = checkedUrl(resolution, given, path);
    return url === undefined
      ? []
      : [{ path, dns: undefined, config: { url, name: nameOfUrl(url), labels: {}, models: [] } }];
  });
  const all = [...fromFile, ...fromFlags];
  for (const field of ['url', 'name'] as const) {
    const values = all.map(({ path, config }) => ({ value: config[field], path: placeOf(path, field) }));
    refuseDuplicates(resolution, values, (value) => `duplicate endpoint ${field} \`${String(value)}\``);
  }
  const dnsEndpoints = all.flatMap(({ dns, ...entry }) => (dns ? [resolveDns(resolution, { dns, ...entry })] : []));
  return {
    resolved: { endpoints: all.flatMap(({ dns, config }) => (dns === undefined ? [config] : [])), dnsEndpoints },
    document: all.map(({ dns, config }) => (dns ? { ...config, dns: renderParameters(dnsFields, dns) } : config)),
  };
}

function placeOf(path: Path, field: string): Path {
  return path[0] === ENDPOINT_FLAG ? path : [...path, field];
}

function checkedUrl({ problems }: Resolution, given: string, path: Path): string | undefined {
  const { url, ...problem } = readEndpointUrl(given);
  if (problem.message !== undefined) problems.push({ path, ...problem });
  return url;
}
