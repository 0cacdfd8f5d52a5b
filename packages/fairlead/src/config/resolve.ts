// SPDX-License-Identifier: Apache-2.0

/**
 * Checked fields to the configuration that runs: plugins are made, every name becomes an instance, every default is
 * filled in. Also writes down the same configuration with nothing left out, which is what `check --resolved` prints.
 */

import { instantiate } from '@fairlead/core';
import type { Path, PluginHandle, PluginRecord, PluginRegistry, Problem, Random } from '@fairlead/core';
import { DEFAULTS } from './defaults.ts';
import type { DefaultSet } from './defaults.ts';
import { freezeDeep } from './freeze.ts';
import { loadModules } from './modules.ts';
import { moduleReferences, pluginDocuments, pluginEntries, portableModule } from './plugin-entries.ts';
import type { Resolution } from './resolution.ts';
import { resolveDataLayer } from './resolve-data-layer.ts';
import { resolveEndpoints } from './resolve-endpoints.ts';
import { resolveFairness } from './resolve-fairness.ts';
import { resolveFlowControl } from './resolve-flow-control.ts';
import { resolveFeatureGates, resolveParsers } from './resolve-gates.ts';
import { resolveGateway } from './resolve-gateway.ts';
import { resolveHealth, resolveOutlierDetection } from './resolve-health.ts';
import { resolveIdentity, resolveObjectives } from './resolve-identity.ts';
import { resolveLoadProducer } from './resolve-load-producer.ts';
import { resolveRewrites, rewritesDocument } from './resolve-rewrites.ts';
import { resolveScheduling } from './resolve-scheduling.ts';
import type { ResolvedConfig } from './resolved.ts';
import { API_VERSION, KIND, OLD_API_VERSION } from './schema.ts';
import type { ConfigFields } from './schema.ts';

export interface ResolveOptions {
  readonly defaultSet: DefaultSet;
  readonly registry: PluginRegistry;
  readonly random: Random;
  readonly allowExperimental: boolean;
  /** Folder that relative paths of modules and certificates start from. */
  readonly directory: string;
  /** Endpoints in addition to the file's. */
  readonly endpointUrls: readonly string[];
  /** Whether the file has a `flowControl` section. */
  readonly saysFlowControl: boolean;
  /** Plugins of an earlier configuration, used again where they are the same. */
  readonly keep?: readonly PluginRecord[] | undefined;
}

export interface ResolvedFields {
  /** Only to be used when there are no problems. */
  readonly config: ResolvedConfig;
  /** Plain data that loads as the same configuration, whatever the defaults. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly warnings: readonly Problem[];
  /** Every plugin, for the next configuration to keep. */
  readonly plugins: readonly PluginRecord[];
  /** `module` fields whose file changed since this process imported it. */
  readonly outdated: readonly Path[];
}

/** Adds to `problems` whatever is wrong; goes on as far as it can to find all of it. */
export async function resolveConfig(
  fields: ConfigFields,
  options: ResolveOptions,
  problems: Problem[],
): Promise<ResolvedFields> {
  const { directory, defaultSet, random, allowExperimental, keep } = options;
  const modules = await loadModules(moduleReferences(fields), { directory, registry: options.registry, problems });
  const entries = pluginEntries(fields, modules.definitions, problems);
  const { handle, problems: found } = instantiate(entries, modules.registry, { random, allowExperimental, keep });
  problems.push(...found);
  const warnings: Problem[] = [];
  const defaults = DEFAULTS[defaultSet];
  const resolution = { fields, defaultSet, defaults, handle, directory, problems, warnings };
  const { config, document, filled } = resolveSections(resolution, options);
  if (fields.apiVersion === OLD_API_VERSION) {
    warnings.push({ path: ['apiVersion'], message: `is deprecated: use \`${API_VERSION}\``, value: fields.apiVersion });
  }
  if (options.saysFlowControl && !config.flowControlEnabled) {
    const message = 'only its saturationDetector has an effect: the feature gate flowControl is off';
    warnings.push({ path: ['flowControl'], message, at: 'key' });
  }
  const plugins = pluginDocuments(handle, moduleByName(fields, handle, directory), filled);
  return {
    config: freezeDeep(config, new Set(handle.records().map(({ instance }) => instance))),
    document: { apiVersion: API_VERSION, kind: KIND, plugins, ...document },
    warnings,
    plugins: handle.records(),
    outdated: modules.outdated,
  };
}

interface Sections {
  readonly config: ResolvedConfig;
  readonly document: Readonly<Record<string, unknown>>;
  readonly filled: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

function resolveSections(resolution: Resolution, { endpointUrls }: ResolveOptions): Sections {
  const gates = resolveFeatureGates(resolution);
  const endpoints = resolveEndpoints(resolution, endpointUrls);
  const gateway = resolveGateway(resolution);
  const health = resolveHealth(resolution);
  const outlierDetection = resolveOutlierDetection(resolution);
  const fairness = resolveFairness(resolution);
  const identity = resolveIdentity(resolution, fairness.resolved);
  const inferenceObjectives = resolveObjectives(resolution);
  const modelRewrites = resolveRewrites(resolution);
  const priorities = [...identity.resolved.keys, ...identity.resolved.tenants, ...inferenceObjectives].map(
    ({ priority }) => priority,
  );
  const dataLayer = resolveDataLayer(resolution);
  const flowControl = resolveFlowControl(resolution, priorities);
  const scheduling = resolveScheduling(resolution);
  const requestHandler = resolveParsers(resolution);
  const { metricsSource, fileDiscovery, filled } = dataLayer.resolved;
  return {
    config: {
      ...endpoints.resolved,
      fileDiscovery,
      metricsSource,
      gateway: gateway.resolved,
      health: health.resolved,
      outlierDetection: outlierDetection.resolved,
      identity: identity.resolved,
      inferenceObjectives,
      modelRewrites,
      flowControlEnabled: gates.resolved,
      flowControl: flowControl.resolved.config,
      detector: flowControl.resolved.detector,
      tokens: resolveLoadProducer(resolution),
      scheduling: scheduling.resolved,
      plugins: resolution.handle.records().map(({ instance }) => instance),
    },
    document: {
      featureGates: gates.document,
      endpoints: endpoints.document,
      gateway: gateway.document,
      health: health.document,
      outlierDetection: outlierDetection.document,
      fairness: fairness.document,
      identity: identity.document,
      inferenceObjectives,
      modelRewrites: rewritesDocument(modelRewrites),
      flowControl: flowControl.document,
      schedulingProfiles: scheduling.document,
      dataLayer: dataLayer.document,
      requestHandler,
    },
    filled,
  };
}

/** The module of each plugin that came from one, as it reads from anywhere. */
function moduleByName({ plugins }: ConfigFields, handle: PluginHandle, directory: string): ReadonlyMap<string, string> {
  const entries = handle.configured();
  return new Map(
    plugins.flatMap((plugin, index) => {
      const entry = entries.find(({ path }) => path[1] === index);
      if (plugin?.module === undefined || entry === undefined) return [];
      return [[entry.name, portableModule(plugin.module, directory)] as const];
    }),
  );
}
