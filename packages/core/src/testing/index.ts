// SPDX-License-Identifier: Apache-2.0

/**
 * For tests of what is built on the core: virtual time, seeded dice, a controller with everything around it, what must
 * hold in it at any time, and the suites that plugins have to pass.
 */

export { checkInvariants } from '../flow-control/invariants.ts';
export { startArrivals } from './arrivals.ts';
export type { Arrivals, Ask } from './arrivals.ts';
export { bandSelectionConformance } from './band-selection-conformance.ts';
export type { BandSelectionPromises } from './band-selection-conformance.ts';
export { BandSelectionStand } from './band-selection-stand.ts';
export type { BandStep } from './band-selection-stand.ts';
export { CheckedKits } from './checked-kits.ts';
export { skipping } from './conformance-case.ts';
export type { ConformanceCase, Skips } from './conformance-case.ts';
export { drawSize } from './draws.ts';
export type { Sizes } from './draws.ts';
export { fairnessConformance } from './fairness-conformance.ts';
export type { FairnessPromises } from './fairness-conformance.ts';
export { runFairness } from './fairness-run.ts';
export type { FairnessRunOptions, FairnessRunResult } from './fairness-run.ts';
export { FAIRNESS_ACTS, FairnessStand } from './fairness-stand.ts';
export type { FairnessStep } from './fairness-stand.ts';
export { FlowControlKit, flowControlConfig, modelEndpoint } from './flow-control-kit.ts';
export type { KitOptions, RequestFields } from './flow-control-kit.ts';
export { jainIndex } from './jain-index.ts';
export { LagOracle } from './lag-oracle.ts';
export { maxMinShare } from './max-min-share.ts';
export type { Claimant } from './max-min-share.ts';
export { ModelledServer } from './modelled-server.ts';
export type { PromptBlocks, ServerJob, ServerModel } from './modelled-server.ts';
export { instanceOf } from './plugin-instance.ts';
export { seededRandom } from './seeded-random.ts';
export { VirtualClock } from './virtual-clock.ts';
export { filterConformance } from './filter-conformance.ts';
export { orderingConformance } from './ordering-conformance.ts';
export { pickerConformance } from './picker-conformance.ts';
export { saturationConformance } from './saturation-conformance.ts';
export type { Made } from './scheduling-stand.ts';
export { scorerConformance } from './scorer-conformance.ts';
export { usageLimitConformance } from './usage-limit-conformance.ts';
