// SPDX-License-Identifier: Apache-2.0

/** The `flowControl` section: limits to numbers, policies to instances, bands to templates. */

import type {
  BandSelectionPolicy,
  BandTemplate,
  FlowControlConfig,
  HalfCheckedOf,
  Path,
  SaturationDetector,
} from '@fairlead/core';
import { formatDuration } from '@fairlead/core';
import { BAND_IDLE_MS, FLOW_IDLE_MS } from './defaults.ts';
import { NOT_IN_THIS_VERSION } from './known-types.ts';
import { refer, refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';
import type { bandFields } from './schema.ts';

export interface ResolvedFlowControl {
  readonly config: FlowControlConfig;
  readonly detector: SaturationDetector;
}

/** `knownPriorities` are those that objectives and keys name. */
export function resolveFlowControl(
  resolution: Resolution,
  knownPriorities: readonly number[],
): Section<ResolvedFlowControl> {
  const { flowControl: fields } = resolution.fields;
  if (fields.enableEviction) {
    const message = `eviction ${NOT_IN_THIS_VERSION}`;
    resolution.problems.push({ path: ['flowControl', 'enableEviction'], message, value: true, allowed: '`false`' });
  }
  const maxFlowShare = fields.maxFlowShare ?? resolution.defaults.maxFlowShare;
  const bands = resolveBands(resolution, maxFlowShare);
  const detector = resolveDetector(resolution);
  const bandSelectionRef = fields.bandSelectionPolicyRef;
  const priorities = [0, ...knownPriorities, ...bands.resolved.bands.map(({ priority }) => priority)];
  const bandSelection = resolveBandSelection(resolution, priorities);
  const usageLimitRef = fields.usageLimitPolicyPluginRef;
  const path = ['flowControl', 'usageLimitPolicyPluginRef'];
  const usageLimit = refer(resolution, { name: usageLimitRef, kind: 'usage-limit', path });
  const ttl = waitBudgets(resolution);
  return {
    resolved: {
      detector: detector.resolved,
      config: {
        maxRequests: unlimitedWhenZero(fields.maxRequests),
        maxBytes: unlimitedWhenZero(fields.maxBytes),
        defaultRequestTtlMs: unlimitedWhenZero(ttl.requestMs),
        noEndpointRequestTtlMs: unlimitedWhenZero(ttl.noEndpointMs),
        ...bands.resolved,
        knownPriorities: [...new Set(knownPriorities)].sort((a, b) => b - a),
        bandSelection,
        usageLimit,
        costs: fields.costModel,
        flowIdleMs: FLOW_IDLE_MS,
        bandIdleMs: BAND_IDLE_MS,
      },
    },
    document: {
      maxBytes: fields.maxBytes,
      maxRequests: fields.maxRequests,
      defaultRequestTTL: formatDuration(ttl.requestMs),
      noEndpointRequestTTL: formatDuration(ttl.noEndpointMs),
      maxFlowShare,
      ...bands.document,
      bandSelectionPolicyRef: bandSelectionRef,
      usageLimitPolicyPluginRef: usageLimitRef,
      costModel: fields.costModel,
      saturationDetector: detector.document,
    },
  };
}

/** `priorities` are those that may have a band: what its parameters say of any other is of no effect. */
function resolveBandSelection(resolution: Resolution, priorities: readonly number[]): BandSelectionPolicy {
  const name = resolution.fields.flowControl.bandSelectionPolicyRef;
  const path = ['flowControl', 'bandSelectionPolicyRef'];
  // Undefined, whatever its type, when there is a problem.
  const policy = refer(resolution, { name, kind: 'band-selection', path }) as BandSelectionPolicy | undefined;
  for (const priority of policy?.namedPriorities ?? []) {
    if (priorities.includes(priority)) continue;
    const message = `\`${name}\` names priority ${priority}, which no priority band, key or objective has`;
    resolution.warnings.push({ path, message, value: name });
  }
  return policy as BandSelectionPolicy;
}

function unlimitedWhenZero(limit: number): number {
  return limit === 0 ? Infinity : limit;
}

/** Zero stands for no end. */
function waitBudgets({ fields, defaults, defaultSet }: Resolution): { requestMs: number; noEndpointMs: number } {
  const { defaultRequestTTL, noEndpointRequestTTL } = fields.flowControl;
  const requestMs = defaultRequestTTL ?? defaults.requestTtlMs;
  // In the reference this budget follows the other; a gateway does not let clients wait long for nobody.
  const shorter = requestMs > 0 ? Math.min(defaults.noEndpointTtlMs, requestMs) : defaults.noEndpointTtlMs;
  return { requestMs, noEndpointMs: noEndpointRequestTTL ?? (defaultSet === 'reference' ? requestMs : shorter) };
}

/** The deprecated top-level field counts when the section does not say. */
function resolveDetector(resolution: Resolution): Section<SaturationDetector> {
  const { fields, defaults, warnings } = resolution;
  const deprecated = fields.saturationDetector;
  if (deprecated !== undefined) {
    const path = ['saturationDetector'];
    warnings.push({ path, message: 'is deprecated: use flowControl.saturationDetector', at: 'key' });
  }
  const own = fields.flowControl.saturationDetector;
  const path = own === undefined && deprecated !== undefined ? [] : ['flowControl'];
  const name = (own ?? deprecated)?.pluginRef ?? defaults.saturationDetector;
  const at = [...path, 'saturationDetector', 'pluginRef'];
  return { resolved: refer(resolution, { name, kind: 'saturation', path: at }), document: { pluginRef: name } };
}

type Bands = Pick<FlowControlConfig, 'bands' | 'defaultBand' | 'defaultNegativeBand'>;

function resolveBands(resolution: Resolution, maxFlowShare: number): Section<Bands> {
  const { flowControl: fields } = resolution.fields;
  const band = (given: BandFields, ...path: (string | number)[]) =>
    resolveBand(resolution, given, { path: ['flowControl', ...path], maxFlowShare });
  const defaultBand = band(fields.defaultPriorityBand, 'defaultPriorityBand');
  const negative = fields.defaultNegativePriorityBand;
  const negativeBand = negative === undefined ? defaultBand : band(negative, 'defaultNegativePriorityBand');
  const bands = fields.priorityBands.flatMap((given, index) =>
    given === undefined ? [] : [{ priority: given.priority, ...band(given, 'priorityBands', index) }],
  );
  const priorities = fields.priorityBands.map((given, index) => ({
    value: given?.priority,
    path: ['flowControl', 'priorityBands', index, 'priority'],
  }));
  refuseDuplicates(resolution, priorities, (priority) => `duplicate priority level ${String(priority)}`);
  return {
    resolved: {
      defaultBand: defaultBand.resolved,
      defaultNegativeBand: negativeBand.resolved,
      bands: bands.map(({ priority, resolved }) => ({ priority, ...resolved })),
    },
    document: {
      defaultPriorityBand: defaultBand.document,
      defaultNegativePriorityBand: negativeBand.document,
      priorityBands: bands.map(({ priority, document }) => ({ priority, ...document })),
    },
  };
}

type BandFields = HalfCheckedOf<typeof bandFields>;

interface BandPlace {
  readonly path: Path;
  readonly maxFlowShare: number;
}

/** As in the reference, 0 is the default here, and no limit for all bands together. */
function resolveBand(
  resolution: Resolution,
  given: BandFields,
  { path, maxFlowShare }: BandPlace,
): Section<BandTemplate> {
  const { defaults } = resolution;
  const maxBytes = given.maxBytes || defaults.bandMaxBytes;
  const maxRequests = given.maxRequests || defaults.bandMaxRequests;
  const fairnessPolicyRef = given.fairnessPolicyRef ?? defaults.fairness;
  const orderingPolicyRef = given.orderingPolicyRef ?? defaults.ordering;
  const fairnessPath = [...path, 'fairnessPolicyRef'];
  const fairness = refer(resolution, { name: fairnessPolicyRef, kind: 'fairness', path: fairnessPath });
  const orderingPath = [...path, 'orderingPolicyRef'];
  const ordering = refer(resolution, { name: orderingPolicyRef, kind: 'ordering', path: orderingPath });
  return {
    resolved: { maxBytes, maxRequests, maxFlowShare, fairness, ordering },
    document: { maxBytes, maxRequests, fairnessPolicyRef, orderingPolicyRef },
  };
}
