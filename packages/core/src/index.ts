// SPDX-License-Identifier: Apache-2.0

/**
 * @fairlead/core: which LLM request goes next, and to which model server. Pure and deterministic: clock, randomness and
 * observer come in through constructors.
 */

// For those who put a flow controller in front of something scarce.
export { FlowController } from './flow-control/flow-controller.ts';
export type { FlowControllerOptions } from './flow-control/flow-controller.ts';
export type { BandConfig, BandTemplate, FlowControlConfig } from './flow-control/config.ts';
export type { FlowEvent, FlowObserver } from './flow-control/events.ts';
export { tryPolicies } from './flow-control/try-policies.ts';
export type { Placed, Placement } from './flow-control/placement.ts';
export type { OnSettled, Settled, Signal, WaitingHandle } from './flow-control/settled.ts';
export type { BandSnapshot, FlowControlSnapshot, FlowSnapshot, GateSnapshot } from './flow-control/snapshot.ts';
export { PoolPlacement } from './scheduling/pool-placement.ts';
export type { EndpointChooser, PoolPlacementOptions } from './scheduling/pool-placement.ts';
export { involvedPlugins, Scheduler } from './scheduling/scheduler.ts';
export type { OnPluginFault, SchedulerOptions } from './scheduling/scheduler.ts';
export type { EndpointScore, TrailStep } from './scheduling/trail.ts';
export { Endpoint } from './endpoints/endpoint.ts';
export type { EndpointSpec, EngineCache, EngineLora, EngineMetrics, MetricsReading } from './endpoints/endpoint.ts';
export { continueGroups, groupEndpoints } from './endpoints/grouping.ts';
export type { EndpointGroup } from './endpoints/grouping.ts';
export { Pool } from './endpoints/pool.ts';
export { InFlightCap } from './request/in-flight-cap.ts';
export { TokenBucket, type TokenBucketOptions } from './request/token-bucket.ts';
export type { InferenceRequest, Usage } from './request/inference-request.ts';
export { CostHistory, CostModel, DEFAULT_COST_WEIGHTS, saneUsage } from './request/cost-model.ts';
export type { CostWeights } from './request/cost-model.ts';
export type { TokenEstimator } from './request/token-estimate.ts';
export { PromptHasher } from './request/prompt-prefix.ts';
export type { PrefixMatch, PromptPrefix } from './request/prompt-prefix.ts';
export { DROPS, OUTCOMES } from './request/outcome.ts';
export type { Drop, DropCause, DropReason, Outcome } from './request/outcome.ts';
export type { Ending, Permit } from './request/permit.ts';
export type { Alarm, Clock, Random } from './clock.ts';
export { SteadyClock } from './steady-clock.ts';
export type { SteadyClockOptions } from './steady-clock.ts';

// For those who write plugins.
export { definePlugin, PluginError } from './plugin-registry/plugin.ts';
export type { Plugin, PluginContext, PluginDefinition, PluginLookup, Stability } from './plugin-registry/plugin.ts';
export type { PluginKind } from './plugin-registry/kinds.ts';
export type { HalfCheckedOf, ParameterSpec, ParameterSpecs, ParametersOf } from './plugin-registry/parameters.ts';
export type {
  BandContext,
  BandSelectionPolicy,
  Contender,
  FairnessPolicy,
  FirstTokenSample,
  LagFacts,
  Member,
  OrderingPolicy,
  SaturationDetector,
  Tracked,
  UsageLimitPolicy,
  Waiting,
} from './flow-control/policies.ts';
export { defineSimpleFairnessPolicy } from './flow-control/simple-fairness.ts';
export type { SimpleFairness, SimpleFairnessContext } from './flow-control/simple-fairness.ts';
export type {
  Filter,
  Picker,
  PrefixProducer,
  Producer,
  ProfileHandler,
  PromptWish,
  SchedulingProfile,
  Scorer,
} from './scheduling/contracts.ts';

// For those who load plugins and configuration.
export { PluginRegistry, definitionFault } from './plugin-registry/registry.ts';
export type { RegistryOptions } from './plugin-registry/registry.ts';
export { instantiate } from './plugin-registry/instantiate.ts';
export type { Instantiated } from './plugin-registry/instantiate.ts';
export type { HandleOptions, PluginHandle, PluginRecord } from './plugin-registry/handle.ts';
export type { PluginEntry } from './plugin-registry/entry.ts';
export { halfCheckParameters } from './plugin-registry/check-parameters.ts';
export type { CheckPlace } from './plugin-registry/check-parameters.ts';
export { renderParameters } from './plugin-registry/render-parameters.ts';
export { allowedText } from './plugin-registry/allowed-text.ts';
export { nearestName } from './plugin-registry/nearest-name.ts';
export { formatDuration, parseDuration } from './plugin-registry/quantities.ts';
export { dotted, meant, shown } from './plugin-registry/problem.ts';
export type { Path, Problem } from './plugin-registry/problem.ts';
