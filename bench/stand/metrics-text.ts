// SPDX-License-Identifier: Apache-2.0

/** A metrics page as vLLM renders it, of any size from a few lines on: what is wanted of it stands in the middle. */

/** Text before and behind the number of running requests; together at least `sizeBytes` long. */
export function metricsPage(sizeBytes: number): readonly [before: string, behind: string] {
  const labels = '{engine="0",model_name="bench-model"}';
  const gauge = (name: string): string => `# HELP ${name} State.\n# TYPE ${name} gauge\n${name}${labels} `;
  const wanted = gauge('vllm:num_requests_running');
  const behind = `.0\n${gauge('vllm:num_requests_waiting')}0.0\n${gauge('vllm:kv_cache_usage_perc')}0.25\n`;
  let others = '';
  for (let index = 0; others.length < sizeBytes - wanted.length - behind.length; index += 1) {
    others += histogram(`vllm:family_${index}_seconds`);
  }
  const middle = others.indexOf('# HELP', others.length / 2);
  return middle < 0 ? [wanted, behind + others] : [others.slice(0, middle) + wanted, behind + others.slice(middle)];
}

function histogram(name: string): string {
  const lines = [`# HELP ${name} Histogram of time.`, `# TYPE ${name} histogram`];
  for (let bucket = 1; bucket <= 20; bucket += 1) {
    lines.push(
      `${name}_bucket{engine="0",le="${(0.001 * 2 ** bucket).toFixed(3)}",model_name="bench-model"} ${bucket * 17}.0`,
    );
  }
  lines.push(
    `${name}_count{engine="0",model_name="bench-model"} 340.0`,
    `${name}_sum{engine="0",model_name="bench-model"} 71.25`,
  );
  return `${lines.join('\n')}\n`;
}
