// SPDX-License-Identifier: Apache-2.0

/** The sections `health` and `outlierDetection`. */

import { renderParameters } from '@fairlead/core';
import type { Resolution, Section } from './resolution.ts';
import type { HealthConfig, OutlierDetectionConfig } from './resolved.ts';
import { healthFields, outlierDetectionFields } from './schema-health.ts';

export function resolveHealth({ fields }: Resolution): Section<HealthConfig> {
  const { health } = fields;
  return { document: renderParameters(healthFields, health), resolved: { slowStartMs: health.slowStart } };
}

export function resolveOutlierDetection({ fields, problems }: Resolution): Section<OutlierDetectionConfig> {
  const given = fields.outlierDetection;
  if (given.maxEjectionTime < given.baseEjectionTime) {
    const allowed = `at least baseEjectionTime (${given.baseEjectionTime} ms)`;
    const path = ['outlierDetection', 'maxEjectionTime'];
    problems.push({ path, message: `must be ${allowed}`, value: `${given.maxEjectionTime} ms`, allowed });
  }
  const { enabled, consecutiveFailures, failureShare, minRequests, slowFirstByteFactor, maxEjectedShare } = given;
  return {
    document: renderParameters(outlierDetectionFields, given),
    resolved: {
      enabled,
      consecutiveFailures,
      failureShare,
      minRequests,
      intervalMs: given.interval,
      slowFirstByteFactor,
      slowFirstByteMs: given.slowFirstByte,
      baseEjectionTimeMs: given.baseEjectionTime,
      maxEjectionTimeMs: given.maxEjectionTime,
      maxEjectedShare,
    },
  };
}
