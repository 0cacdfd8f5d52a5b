// SPDX-License-Identifier: Apache-2.0

/** The sections about how far endpoints are trusted: how one is let back in, and when one is set aside. */

import type { ParameterSpecs } from '@fairlead/core';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;

export const healthFields = {
  slowStart: {
    type: 'duration',
    default: 10 * SECOND_MS,
    min: 0,
    max: HOUR_MS,
    doc: 'An endpoint that comes back is given a tenth of its limit, and the rest evenly over this time: it has to warm up, and everybody has waited for it. `0s` for all at once.',
  },
} as const satisfies ParameterSpecs;

export const outlierDetectionFields = {
  enabled: {
    type: 'boolean',
    default: true,
    doc: 'Set endpoints aside that fail requests (5xx, connections refused or closed, no first byte in time) or are far slower than their pool.',
  },
  consecutiveFailures: {
    type: 'integer',
    default: 5,
    min: 1,
    max: 10_000,
    doc: 'Failed requests in a row that set an endpoint aside; of two tenants at least, unless only one has asked its pool within `interval`. The same goes for `failureShare`.',
  },
  failureShare: {
    type: 'number',
    default: 0.5,
    min: 0,
    exclusiveMin: true,
    max: 1,
    doc: 'Share of failed requests that sets an endpoint aside, when it is at least twice that of the rest of its pool.',
  },
  minRequests: {
    type: 'integer',
    default: 20,
    min: 1,
    max: 1_000_000,
    doc: 'Requests within `interval` before `failureShare` counts.',
  },
  interval: {
    type: 'duration',
    default: 30 * SECOND_MS,
    min: SECOND_MS,
    max: HOUR_MS,
    doc: 'The time over which the share is taken.',
  },
  slowFirstByteFactor: {
    type: 'number',
    default: 8,
    min: 2,
    max: 1_000,
    doc: "An endpoint whose median time to the first byte of a stream is so many times the pool's is set aside…",
  },
  slowFirstByte: {
    type: 'duration',
    default: 2 * SECOND_MS,
    min: 1,
    max: HOUR_MS,
    doc: '… when it is at least this long.',
  },
  baseEjectionTime: {
    type: 'duration',
    default: 2 * SECOND_MS,
    min: 100,
    max: HOUR_MS,
    doc: 'How long an endpoint is set aside the first time; twice as long each time that it comes back as bad.',
  },
  maxEjectionTime: {
    type: 'duration',
    default: 300 * SECOND_MS,
    min: 100,
    max: 24 * HOUR_MS,
    doc: 'How long it is set aside at most; at least `baseEjectionTime`.',
  },
  maxEjectedShare: {
    type: 'number',
    default: 0.5,
    min: 0,
    max: 0.5,
    doc: 'Share of a pool that may be out when another endpoint is set aside, those that are down included.',
  },
} as const satisfies ParameterSpecs;
