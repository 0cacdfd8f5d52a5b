// SPDX-License-Identifier: Apache-2.0

/**
 * What factors make of causes what was seen, when some of what was seen had other causes as well: the least sum of relative
 * deviations, by least squares with weights that are made from the deviations before (iteratively reweighted), so that a
 * few values that are far off count little.
 */

const ITERATIONS = 30;
/** Relative deviations below this are no deviations. */
const EXACT = 1e-3;

/** One thing that was seen, and how much there was of each cause. */
export interface Sighting {
  readonly causes: readonly number[];
  /** More than 0. */
  readonly seen: number;
}

/** A factor for each cause, none negative: a cause with which it would be is left out, the last ones first. */
export function leastDeviations(sightings: readonly Sighting[], causes: number): number[] {
  for (let used = causes; used > 0; used -= 1) {
    const factors = fitted(sightings, used);
    if (factors?.every((factor) => factor >= 0) === true) {
      return [...factors, ...Array.from({ length: causes - used }, () => 0)];
    }
  }
  return Array.from({ length: causes }, () => 0);
}

function fitted(sightings: readonly Sighting[], used: number): number[] | undefined {
  let weights = sightings.map(({ seen }) => 1 / seen ** 2);
  let factors: number[] | undefined;
  for (let iteration = 0; iteration < ITERATIONS; iteration += 1) {
    factors = leastSquares(sightings, weights, used);
    if (factors === undefined) return undefined;
    weights = sightings.map(({ causes, seen }) => {
      const expected = factors!.reduce((total, factor, index) => total + factor * causes[index]!, 0);
      return 1 / (seen ** 2 * Math.max(EXACT, Math.abs(expected - seen) / seen));
    });
  }
  return factors;
}

/** Undefined when what was seen does not tell the causes apart. */
function leastSquares(sightings: readonly Sighting[], weights: readonly number[], used: number): number[] | undefined {
  const rows = Array.from({ length: used }, (_, row) =>
    Array.from({ length: used + 1 }, (__, column) =>
      sightings.reduce(
        (total, { causes, seen }, index) =>
          total + weights[index]! * causes[row]! * (column === used ? seen : causes[column]!),
        0,
      ),
    ),
  );
  return solved(rows);
}

/** Gauss-Jordan elimination of a symmetric system; its right side is the last column. */
function solved(rows: number[][]): number[] | undefined {
  for (const [index, row] of rows.entries()) {
    const pivot = row[index]!;
    if (!(Math.abs(pivot) > 1e-12)) return undefined;
    for (const [other, target] of rows.entries()) {
      if (other === index) continue;
      const times = target[index]! / pivot;
      for (const [column, value] of row.entries()) target[column]! -= times * value;
    }
  }
  return rows.map((row, index) => row.at(-1)! / row[index]!);
}
