// SPDX-License-Identifier: Apache-2.0

/** `fairlead simulate` as it is typed, with the examples. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { startChild } from '../../packages/fairlead/src/demo/fleet/child.ts';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { SimulationResult } from '../../packages/fairlead/src/simulate/result.ts';

const root = path.resolve(import.meta.dirname, '../..');
const examples = globSync('examples/scenarios/*.yaml', { cwd: root });

function fairlead(...words: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const main = path.join(root, 'packages/fairlead/src/cli/main.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=development', main, ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

describe('fairlead simulate', () => {
  for (const example of examples) {
    it(`plays ${example}, and says what became of each tenant`, () => {
      const { code, stdout, stderr } = fairlead('simulate', example, '--json');
      assert.equal(code, 0, stderr);
      const { schema, tenants } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as SimulationResult;
      assert.equal(schema, 1);
      assert.ok(tenants.length > 1);
      for (const { name, share, entitlement, maxLagTokens } of tenants) {
        assert.ok(share > 0 && entitlement > 0 && maxLagTokens >= 0, name);
      }
    });
  }

  it('says in one line which settings of a configuration it leaves out', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
    try {
      const config = path.join(folder, 'config.yaml');
      await writeFile(
        config,
        `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
inferenceObjectives: [{ name: urgent, priority: 10 }]
modelRewrites: [{ name: all, targets: [{ modelRewrite: model }] }]
endpoints: [{ name: a, url: 'http://127.0.0.1:8000', labels: { zone: a } }]
`,
      );
      const { code, stderr } = fairlead('simulate', examples[0]!, '--config', config, '--json');
      assert.equal(code, 0, stderr);
      const notes = stderr.split('\n').filter((line) => line.startsWith('note: '));
      assert.deepEqual(notes, [
        `note: ${config}: not simulated: inferenceObjectives (priorities are those of tenants), modelRewrites (all ask for one model), labels of endpoints (the servers of a scenario have none)`,
      ]);
      assert.doesNotMatch(fairlead('simulate', examples[0]!, '--json').stderr, /note: /);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('plays what `fairlead serve --record` has written down, of which no prompt is a part', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
    const server = await startModelServer({ models: ['m'], prefillMs: 1, tokenMs: 1 });
    const record = path.join(folder, 'requests.jsonl');
    try {
      const gateway = await startChild({
        name: 'the gateway',
        words: ['serve', '--port', '0', '--admin-port', '0', '--endpoint', server.url, '--record', record],
        listens: ['gateway', 'admin'],
      });
      const ask = async (model: string, key: string): Promise<number> => {
        const answer = await fetch(`${gateway.urls.get('gateway')}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}` },
          body: JSON.stringify({ model, max_tokens: 7, messages: [{ role: 'user', content: 'a secret prompt' }] }),
        });
        await answer.arrayBuffer();
        return answer.status;
      };
      while ((await ask('m', 'key-of-one')) !== 200);
      for (let count = 0; count < 5; count += 1) assert.equal(await ask('m', 'key-of-another'), 200);
      assert.equal(await ask('unknown', 'key-of-another'), 404);
      const again = fairlead('serve', '--endpoint', server.url, '--port', '0', '--admin-port', '0', '--record', record);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /--record .*: there is such a file already/);
      await gateway.stop();

      const text = await readFile(record, 'utf8');
      for (const word of ['secret', 'key-of', 'unknown']) assert.ok(!text.includes(word), word);
      await writeFile(path.join(folder, 'fleet.yaml'), 'fleet: { servers: 1, slots: 8 }\n');
      const played = fairlead('simulate', path.join(folder, 'fleet.yaml'), '--trace', record, '--json');
      assert.equal(played.code, 0, played.stderr);
      const { tenants } = JSON.parse(played.stdout) as SimulationResult;
      assert.deepEqual(tenants.map(({ answered }) => answered).sort(), [1, 5]);
    } finally {
      await server.destroy();
      await rm(folder, { recursive: true });
    }
  });

  it('names every mistake of a scenario with its place, and plays nothing', () => {
    const { code, stdout, stderr } = fairlead('simulate', 'examples/configuration/fairlead.yaml');
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^examples\/configuration\/fairlead.yaml:\d+:\d+: apiVersion: unknown field/m);
    assert.match(stderr, /^fairlead simulate: \d+ problems$/m);
  });
});
