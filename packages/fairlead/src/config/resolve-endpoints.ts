// SPDX-License-Identifier: Apache-2.0

/** The `endpoints` section and the addresses given on the command line. */

import type { Path } from '@fairlead/core';
import { nameOfUrl, readEndpointUrl } from './endpoint-url.ts';
import { refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';
import { resolveTls } from './resolve-tls.ts';
import type { EndpointConfig } from './resolved.ts';

/** First part of the path of what was given as `--endpoint`. */
export const ENDPOINT_FLAG = '--endpoint';

export function resolveEndpoints(
  resolution: Resolution,
  urls: readonly string[],
): Section<readonly EndpointConfig[], readonly EndpointConfig[]> {
  const fromFile = resolution.fields.endpoints.flatMap((fields, index) => {
    const path = ['endpoints', index];
    const url = fields?.url === undefined ? undefined : checkedUrl(resolution, fields.url, [...path, 'url']);
    if (fields === undefined || url === undefined) return [];
    const models = fields.models.filter((model) => model !== undefined);
    const { apiKeyEnv, labels } = fields;
    const name = fields.name ?? nameOfUrl(url);
    const tls = resolveTls(resolution, fields.tls, { path, url });
    const more = { ...(apiKeyEnv === undefined ? {} : { apiKeyEnv }), ...(tls === undefined ? {} : { tls }) };
    return [{ path, config: { url, name, labels, models, ...more } }];
  });
  const fromFlags = urls.flatMap((given, index) => {
    const path = [ENDPOINT_FLAG, index];
    const url = checkedUrl(resolution, given, path);
    return url === undefined ? [] : [{ path, config: { url, name: nameOfUrl(url), labels: {}, models: [] } }];
  });
  const all = [...fromFile, ...fromFlags];
  for (const field of ['url', 'name'] as const) {
    const values = all.map(({ path, config }) => ({ value: config[field], path: placeOf(path, field) }));
    refuseDuplicates(resolution, values, (value) => `duplicate endpoint ${field} \`${String(value)}\``);
  }
  const configs = all.map(({ config }) => config);
  return { resolved: configs, document: configs };
}

function placeOf(path: Path, field: string): Path {
  return path[0] === ENDPOINT_FLAG ? path : [...path, field];
}

function checkedUrl({ problems }: Resolution, given: string, path: Path): string | undefined {
  const { url, ...problem } = readEndpointUrl(given);
  if (problem.message !== undefined) problems.push({ path, ...problem });
  return url;
}
