// SPDX-License-Identifier: Apache-2.0

/**
 * The name somebody probably meant. Distance is optimal string alignment (insert, delete, replace, swap neighbours,
 * each 1), without regard to case; a third of the word may be wrong, so that a guess is worth reading. When none is that
 * near, the only name that begins so is meant, with or without hyphens: `round-robin`, `RoundRobin`.
 */

const MAX_NAME_LENGTH = 100;
const MIN_BEGINNING_LENGTH = 3;

/** The nearest of `candidates` to `name`, the first among equals, else the one that begins so; undefined when none is near. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const all = [...candidates];
  return nearest(name.toLowerCase(), all) ?? onlyBeginning(bare(name), all);
}

function onlyBeginning(word: string, candidates: readonly string[]): string | undefined {
  if (word.length < MIN_BEGINNING_LENGTH) return undefined;
  const found = candidates.filter((candidate) => bare(candidate).startsWith(word));
  return found.length === 1 ? found[0] : undefined;
}

function bare(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const found = distance(word, candidate.toLowerCase());
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}

function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      const replaced = last[column - 1]! + (same ? 0 : 1);
      let least = Math.min(replaced, last[column]! + 1, current[column - 1]! + 1);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) least = Math.min(least, beforeLast[column - 2]! + 1);
      current.push(least);
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length]!;
}
