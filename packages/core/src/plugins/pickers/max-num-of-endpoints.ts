// SPDX-License-Identifier: Apache-2.0

/** The parameter that all pickers share: how many endpoints they name. */
export const maxNumOfEndpoints = {
  type: 'integer',
  default: 1,
  min: 1,
  doc: 'Endpoints named at most, the best first; those behind the first are fail-over alternatives.',
} as const;
