// SPDX-License-Identifier: Apache-2.0

/**
 * Where tenants stand in a hierarchy is said by their keys, or by a proxy in front that is trusted: through the whole of
 * `fairlead serve`, over real sockets and with the official client.
 */

import assert from 'node:assert/strict';
import { afterEach, before, after, describe, it } from 'node:test';
import { startModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import type { ModelServer } from '../../packages/fairlead/src/model-server/model-server.ts';
import { hashKey } from '../../packages/fairlead/src/tenancy/hash-key.ts';
import { Loopback } from '../kit/loopback.ts';
import { serveText } from '../kit/served.ts';
import type { Served } from '../kit/served.ts';
import { SharedPlace } from '../kit/shared-place.ts';
import type { Asking } from '../kit/shared-place.ts';

const FAIRNESS_ID = 'x-llm-d-inference-fairness-id';
const key = (name: string, path: string): string => `{sha256: ${hashKey(name)}, tenant: ${name}, path: ${path}}`;

describe('organisations that share a place', () => {
  const loopback = new Loopback();
  const place = new SharedPlace();
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({ prefillMs: 0, tokenMs: 0.2, maxNumSeqs: 1, models: ['m'] });
  });

  afterEach(() => loopback.end());
  after(() => server.destroy());

  function serve(identity: string): Promise<Served> {
    const text = `
endpoints: [{url: ${server.url}, models: [m]}]
plugins:
  - {type: concurrency-detector, parameters: {maxConcurrency: 1}}
  - {type: hierarchical-fairness-policy, parameters: {weights: [{path: acme/chat, weight: 3}]}}
flowControl:
  saturationDetector: {pluginRef: concurrency-detector}
  defaultPriorityBand: {fairnessPolicyRef: hierarchical-fairness-policy}
identity: {${identity}}
`;
    return serveText(text, loopback, place);
  }

  /** Whether each had about so much. */
  async function assertShares(
    served: Served,
    clients: readonly Asking[],
    wanted: Readonly<Record<string, number>>,
  ): Promise<void> {
    const shares = await place.share(served, clients);
    const seen = JSON.stringify([...shares]);
    assert.deepEqual([...shares.keys()].sort(), Object.keys(wanted).sort());
    for (const [name, share] of Object.entries(wanted)) {
      assert.ok(Math.abs(shares.get(name)! - share) < 0.08, `${name} is due ${share}: ${seen}`);
    }
  }

  const branches = async (served: Served): Promise<number | undefined> =>
    (await served.state()).pools[0]!.bands[0]!.fairnessFacts?.['branches'];

  it('get no more for having more keys than others, which say where they stand', async () => {
    const keys = [key('a1', 'acme'), key('a2', 'acme'), key('a3', 'acme'), key('b1', 'beta')];
    const served = await serve(`keys: [${keys.join(', ')}]`);
    const clients = ['a1', 'a2', 'a3', 'b1'].map((apiKey) => ({ apiKey }));
    await assertShares(served, clients, { a1: 1 / 6, a2: 1 / 6, a3: 1 / 6, b1: 1 / 2 });
    assert.equal(await branches(served), 2);
  });

  it('stand where a trusted proxy says, which names their organisation, team and program with slashes', async () => {
    const served = await serve('trustedSources: [127.0.0.1/32]');
    const from = (id: string): Asking => ({ apiKey: 'of-the-proxy', headers: { [FAIRNESS_ID]: id } });
    const clients = ['acme/chat/p1', 'acme/chat/p2', 'acme/batch/p3', 'beta/p4'].map(from);
    await assertShares(served, clients, {
      'acme/chat/p1': 3 / 16,
      'acme/chat/p2': 3 / 16,
      'acme/batch/p3': 1 / 8,
      'beta/p4': 1 / 2,
    });
    assert.equal(await branches(served), 4);
  });

  it('have the programs that a trusted proxy names below the key that it shows for them', async () => {
    const keys = [key('team', 'acme'), key('lone', 'beta')];
    const served = await serve(`keys: [${keys.join(', ')}], trustedSources: [127.0.0.1/32]`);
    const of = (apiKey: string, program: string): Asking => ({ apiKey, headers: { [FAIRNESS_ID]: program } });
    await assertShares(served, [of('team', 'p1'), of('team', 'p2'), of('team', 'p3'), of('lone', 'p4')], {
      p1: 1 / 6,
      p2: 1 / 6,
      p3: 1 / 6,
      p4: 1 / 2,
    });
    // Both organisations, and both keys.
    assert.equal(await branches(served), 4);
  });

  it('stay where their keys say, whatever callers write who are not trusted', async () => {
    const keys = [key('a1', 'acme'), key('a2', 'acme'), key('b1', 'beta')];
    const served = await serve(`keys: [${keys.join(', ')}], trustedSources: [10.0.0.0/8]`);
    const claims = { [FAIRNESS_ID]: 'gamma/of/my/own', 'x-forwarded-for': '10.0.0.1' };
    const clients = [{ apiKey: 'a1', headers: claims }, { apiKey: 'a2' }, { apiKey: 'b1' }];
    await assertShares(served, clients, { a1: 1 / 4, a2: 1 / 4, b1: 1 / 2 });
    assert.equal(await branches(served), 2);
  });

  it('stand where a trusted source says that is behind a proxy', async () => {
    const served = await serve('trustedProxies: [127.0.0.1/32], trustedSources: [10.0.0.0/8]');
    const from = (id: string, address: string): Asking => ({
      apiKey: `key-at-${address}`,
      headers: { [FAIRNESS_ID]: id, 'x-forwarded-for': address },
    });
    const clients = [from('acme/p1', '10.0.0.1'), from('acme/p2', '10.0.0.1'), from('beta/p3', '10.0.0.2')];
    await assertShares(served, clients, { 'acme/p1': 1 / 4, 'acme/p2': 1 / 4, 'beta/p3': 1 / 2 });
    // Not a trusted one: it is told apart by its key, and is nobody's.
    const shares = await place.share(served, [from('acme/p1', '10.0.0.1'), from('beta/p3', '192.0.2.7')]);
    assert.equal(shares.has('acme/p1'), true);
    assert.equal(shares.has('beta/p3'), false);
  });
});
