// SPDX-License-Identifier: Apache-2.0

/** Following a real file as editors, ConfigMaps and accidents change it. */

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, it } from 'node:test';
import type { Clock } from '@fairlead/core';
import { VirtualClock } from '@fairlead/core/testing';
import { systemClock } from '../serve/system-clock.ts';
import { DiscoveryError } from './discovery.ts';
import { FileDiscovery } from './file.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const file = (...names: string[]): string =>
  JSON.stringify({ endpoints: names.map((name, index) => ({ name, address: '127.0.0.1', port: 1000 + index })) });

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(os.tmpdir(), 'fairlead-'));
  cleanups.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** Follows a file; what was told can be waited for. */
function following(file: string, clock: Clock = systemClock, watchFile = true) {
  const told: string[] = [];
  let onTold: (() => void) | undefined;
  const tell = (text: string): void => {
    told.push(text);
    onTold?.();
  };
  const discovery = new FileDiscovery({ path: file, watchFile }, clock);
  cleanups.push(() => discovery.stop());
  return {
    discovery,
    start: () =>
      discovery.start({
        onEndpoints: (wanted) => tell(wanted.map((endpoint) => endpoint.name).join()),
        onProblem: (problem) => tell(`problem ${problem}`),
      }),
    async next(): Promise<string> {
      while (told.length === 0) await new Promise<void>((resolve) => (onTold = resolve));
      return told.shift()!;
    },
    told,
  };
}

describe('file discovery', () => {
  it('does not start with a file that is missing, wrong or too large', async () => {
    const target = path.join(await folder(), 'endpoints.yaml');
    await assert.rejects(following(target).start(), /endpoints\.yaml: cannot be read: ENOENT/);
    await writeFile(target, 'endpoints: 7');
    await assert.rejects(following(target).start(), (error) => {
      assert.ok(error instanceof DiscoveryError);
      assert.match(error.message, /endpoints\.yaml:1:12: endpoints: got 7; allowed is a list/);
      return true;
    });
    await writeFile(target, ' '.repeat(1024 * 1024 + 1));
    await assert.rejects(following(target).start(), /is larger than 1048576 bytes/);
    await assert.rejects(following(path.dirname(target)).start(), /cannot be read: EISDIR/);
  });

  it('follows a file that is written over, replaced by renaming and put back', async () => {
    const target = path.join(await folder(), 'endpoints.yaml');
    await writeFile(target, file('a'));
    const { start, next } = following(target);
    await start();
    assert.equal(await next(), 'a');
    await writeFile(target, file('a', 'b'));
    assert.equal(await next(), 'a,b');
    await writeFile(`${target}.new`, file('c'));
    await rename(`${target}.new`, target);
    assert.equal(await next(), 'c');
    await rm(target);
    assert.match(await next(), /^problem .*ENOENT/);
    await writeFile(target, file('d'));
    assert.equal(await next(), 'd');
  });

  it('follows a file mounted from a ConfigMap, whose folder is swapped behind it', async () => {
    const mount = await folder();
    for (const version of ['..1', '..2']) {
      await mkdir(path.join(mount, version));
      await writeFile(path.join(mount, version, 'endpoints.yaml'), file(version.slice(2)));
    }
    await symlink('..1', path.join(mount, '..data'));
    await symlink(path.join('..data', 'endpoints.yaml'), path.join(mount, 'endpoints.yaml'));
    const { start, next } = following(path.join(mount, 'endpoints.yaml'));
    await start();
    assert.equal(await next(), '1');
    await symlink('..2', path.join(mount, '..data_tmp'));
    await rename(path.join(mount, '..data_tmp'), path.join(mount, '..data'));
    assert.equal(await next(), '2');
  });

  it('lets a wrong file change nothing, says why once, and goes on when it is right again', async () => {
    const target = path.join(await folder(), 'endpoints.yaml');
    await writeFile(target, file('a'));
    const { start, next, told } = following(target);
    await start();
    assert.equal(await next(), 'a');
    await writeFile(target, 'endpoints:\n  - name: a\n    address: nowhere\n    port: 1\n');
    assert.match(await next(), /^problem .*endpoints\.yaml:3:14: endpoints\[0\]\.address: got "nowhere"/);
    await writeFile(target, file('a', 'b'));
    assert.equal(await next(), 'a,b');
    assert.deepEqual(told, []);
  });

  it('looks at the file every ten seconds where nobody tells of changes', async () => {
    const clock = new VirtualClock();
    const target = path.join(await folder(), 'endpoints.yaml');
    await writeFile(target, file('a'));
    const { start, next } = following(target, clock);
    await start();
    assert.equal(await next(), 'a');
    // The virtual clock holds the pause back that follows a change which was told of.
    await writeFile(target, file('b'));
    clock.advance(10_000);
    assert.equal(await next(), 'b');
  });

  it('leaves a file alone after the start unless asked to watch it, and after the stop', async () => {
    const clock = new VirtualClock();
    const target = path.join(await folder(), 'endpoints.yaml');
    await writeFile(target, file('a'));
    const unwatched = following(target, clock, false);
    await unwatched.start();
    assert.equal(clock.pendingAlarms, 0);
    const stopped = following(target, clock);
    await stopped.start();
    stopped.discovery.stop();
    assert.equal(clock.pendingAlarms, 0);
  });
});
