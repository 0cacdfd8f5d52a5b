// SPDX-License-Identifier: Apache-2.0

/** Which series of a metrics page is meant: a metric's name, and the labels that a series must have to count. */

/** `name`, `name{label=value}`, `name{one="value", two=value}`. */
export const METRIC_SPEC =
  /^[A-Za-z_:][\w:]*(\{\s*[A-Za-z_]\w*\s*=\s*("[^"\\{}]*"|[^"\\{},\s]+)(\s*,\s*[A-Za-z_]\w*\s*=\s*("[^"\\{}]*"|[^"\\{},\s]+))*\s*\})?$/;

const LABEL = /([A-Za-z_]\w*)\s*=\s*(?:"([^"]*)"|([^",}\s]+))/g;

export interface MetricSpec {
  readonly name: string;
  /** The name as it stands on the page. */
  readonly bytes: Uint8Array;
  readonly labels: readonly (readonly [name: string, value: string])[];
}

/** Reads a specification that `METRIC_SPEC` allows. */
export function readMetricSpec(text: string): MetricSpec {
  const brace = text.indexOf('{');
  const name = brace < 0 ? text : text.slice(0, brace);
  const labels = [...text.slice(name.length).matchAll(LABEL)].map(
    ([, label = '', quoted, bare = '']) => [label, quoted ?? bare] as const,
  );
  return { name, bytes: Buffer.from(name, 'latin1'), labels };
}
