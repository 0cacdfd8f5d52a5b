// SPDX-License-Identifier: Apache-2.0

/** The `dataLayer` section: which metrics pages are read, and whether endpoints come from a file. */

import type { HalfCheckedOf, ParametersOf, Path } from '@fairlead/core';
import { formatDuration } from '@fairlead/core';
import { coreMetricsExtractor, fileDiscovery, metricsDataSource } from './data-plugins.ts';
import type { DataPlugin } from './data-plugins.ts';
import { AUTO_ENGINE, enginesOf } from './engine-configs.ts';
import { NOT_IN_THIS_VERSION } from './known-types.ts';
import { refer, refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';
import type { FileDiscoveryConfig, MetricsSourceConfig } from './resolved.ts';
import { tlsConfigOf } from './resolve-tls.ts';
import type { dataLayerFields } from './schema.ts';

export interface ResolvedDataLayer {
  readonly metricsSource: MetricsSourceConfig | undefined;
  readonly fileDiscovery: FileDiscoveryConfig | undefined;
  /** Parameters that defaults gave to plugins, by plugin name, in the file's notation. */
  readonly filled: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

interface Source {
  readonly pluginRef: string;
  readonly path: Path;
  readonly extractors: readonly { readonly pluginRef: string; readonly path: Path }[];
}

const section = 'dataLayer';

export function resolveDataLayer(resolution: Resolution): Section<ResolvedDataLayer> {
  const { dataLayer: fields } = resolution.fields;
  refuseUnknownParts(resolution);
  const sources = [...injectedSources(fields), ...givenSources(fields)];
  const filled = new Map<string, Readonly<Record<string, unknown>>>();
  const metricsSource = resolveSources(resolution, sources, filled);
  const discovery = fields.discovery?.pluginRef;
  return {
    resolved: { metricsSource, fileDiscovery: resolveDiscovery(resolution, discovery), filled },
    document: {
      injectDefaults: fields.injectDefaults,
      sources: sources.map(({ pluginRef, extractors }) => ({
        pluginRef,
        extractors: extractors.map((extractor) => ({ pluginRef: extractor.pluginRef })),
      })),
      ...(discovery === undefined ? {} : { discovery: { pluginRef: discovery } }),
    },
  };
}

function refuseUnknownParts({ fields, problems }: Resolution): void {
  for (const name of ['peerDiscovery', 'crossReplicaSyncerPluginRef', 'crossReplicaSyncInterval'] as const) {
    if (fields.dataLayer[name] === undefined) continue;
    problems.push({ path: [section, name], message: `${name} ${NOT_IN_THIS_VERSION}`, at: 'key' });
  }
}

type DataLayerFields = HalfCheckedOf<typeof dataLayerFields>;

function injectedSources(fields: DataLayerFields): Source[] {
  const isListed = fields.sources.some((source) => source?.pluginRef === metricsDataSource.type);
  if (!fields.injectDefaults || isListed) return [];
  const path = [section, 'sources'];
  return [{ pluginRef: metricsDataSource.type, path, extractors: [{ pluginRef: coreMetricsExtractor.type, path }] }];
}

function givenSources(fields: DataLayerFields): Source[] {
  return fields.sources.flatMap((source, index) => {
    if (source?.pluginRef === undefined) return [];
    const path = [section, 'sources', index];
    const extractors = source.extractors.flatMap((extractor, place) =>
      extractor?.pluginRef === undefined
        ? []
        : [{ pluginRef: extractor.pluginRef, path: [...path, 'extractors', place, 'pluginRef'] }],
    );
    return [{ pluginRef: source.pluginRef, path: [...path, 'pluginRef'], extractors }];
  });
}

/** The injected source and a metrics source of another name cannot both be: they are of one type, and one is polled. */
function resolveSources(
  resolution: Resolution,
  sources: readonly Source[],
  filled: Map<string, Readonly<Record<string, unknown>>>,
): MetricsSourceConfig | undefined {
  const named = sources.map(({ pluginRef, path }) => ({ value: pluginRef, path }));
  refuseDuplicates(resolution, named, (name) => `duplicate polling source name "${String(name)}"`);
  let metricsSource: MetricsSourceConfig | undefined;
  for (const { pluginRef, path, extractors } of sources) {
    const source = refer(resolution, { name: pluginRef, kind: 'data-source', path }) as DataPlugin | undefined;
    const readers = extractors.map(({ pluginRef: name, path: at }) =>
      refer(resolution, { name, kind: 'extractor', path: at }),
    );
    if (source?.type !== metricsDataSource.type) continue;
    if (metricsSource !== undefined && !sources.some((other) => other.path !== path && other.pluginRef === pluginRef)) {
      const hint = 'leave one out, or set dataLayer.injectDefaults to false';
      resolution.problems.push({ path, message: `a second metrics source; ${hint}`, value: pluginRef });
    }
    const extractor = readers.find((reader) => (reader as DataPlugin | undefined)?.type === coreMetricsExtractor.type);
    metricsSource = metricsSourceOf(resolution, { source, extractor: extractor as DataPlugin | undefined, filled });
  }
  return metricsSource;
}

interface MetricsPlugins {
  readonly source: DataPlugin;
  readonly extractor: DataPlugin | undefined;
  readonly filled: Map<string, Readonly<Record<string, unknown>>>;
}

function metricsSourceOf(resolution: Resolution, plugins: MetricsPlugins): MetricsSourceConfig {
  const { defaults, directory } = resolution;
  const { source, extractor, filled } = plugins;
  const given = source.parameters as ParametersOf<typeof metricsDataSource.parameters>;
  const intervalMs = given.interval ?? defaults.metricsIntervalMs;
  const tls = tlsConfigOf(
    {
      caFile: given.caCertPath,
      certFile: given.clientCertPath,
      keyFile: given.clientKeyPath,
      insecureSkipVerify: given.insecureSkipVerify ?? given.caCertPath === undefined,
    },
    directory,
  );
  filled.set(source.name, {
    interval: formatDuration(intervalMs),
    insecureSkipVerify: tls.insecureSkipVerify,
    ...(tls.caFile && { caCertPath: tls.caFile }),
    ...(tls.certFile && { clientCertPath: tls.certFile }),
    ...(tls.keyFile && { clientKeyPath: tls.keyFile }),
  });
  const reading = extractor?.parameters as ParametersOf<typeof coreMetricsExtractor.parameters> | undefined;
  const engine = reading?.defaultEngine ?? defaults.defaultEngine;
  if (extractor !== undefined) filled.set(extractor.name, { defaultEngine: engine });
  return {
    scheme: given.scheme === 'https' ? 'https' : 'http',
    path: given.path,
    port: given.port,
    intervalMs,
    tls,
    defaultEngine: engine === AUTO_ENGINE ? undefined : engine,
    engines: enginesOf(reading?.engineConfigs ?? []),
    engineLabelKey: reading?.engineLabelKey ?? coreMetricsExtractor.parameters.engineLabelKey.default,
  };
}

function resolveDiscovery(resolution: Resolution, name: string | undefined): FileDiscoveryConfig | undefined {
  if (name === undefined) return undefined;
  const path = [section, 'discovery', 'pluginRef'];
  const plugin = refer(resolution, { name, kind: 'discovery', path }) as DataPlugin | undefined;
  if (plugin === undefined) return undefined;
  if (plugin.type !== fileDiscovery.type) {
    resolution.problems.push({ path, message: `discovery by '${plugin.type}' ${NOT_IN_THIS_VERSION}`, value: name });
    return undefined;
  }
  const given = plugin.parameters as ParametersOf<typeof fileDiscovery.parameters>;
  return { path: given.path, watchFile: given.watchFile };
}
