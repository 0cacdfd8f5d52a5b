// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientHead } from './client-head.ts';
import { ClientRequest } from './client-request.ts';

/** A request, and in words what happens to its body and to its connection. */
function request() {
  const told: string[] = [];
  const source = {
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
  };
  const reader = {
    onData: (chunk: Uint8Array) => told.push(Buffer.from(chunk).toString()) > 0,
    onEnd: () => void told.push('end'),
  };
  return { told, reader, request: new ClientRequest(new ClientHead('POST / HTTP/1.1'), 0, source) };
}

describe('the body of a request', () => {
  it('that comes before anybody reads it stops its connection, and is read from its beginning', () => {
    const { told, reader, request: early } = request();
    early.take(Buffer.from('a'));
    // Something else on the connection, such as a request before this one, may have let it go on.
    early.take(Buffer.from('b'));
    assert.deepEqual(told, ['pause', 'pause']);
    early.read(reader);
    early.take(Buffer.from('c'));
    early.end();
    assert.deepEqual(told, ['pause', 'pause', 'resume', 'a', 'b', 'c', 'end']);
    assert.equal(early.isComplete, true);
  });

  it('ends once, also when it was whole before anybody read it', () => {
    for (const chunks of [[], ['a']]) {
      const { told, reader, request: whole } = request();
      for (const chunk of chunks) whole.take(Buffer.from(chunk));
      whole.end();
      whole.read(reader);
      assert.deepEqual(
        told.filter((word) => word === 'end'),
        ['end'],
      );
    }
  });

  it('that nobody wants goes nowhere, and its connection goes on', () => {
    const { told, request: unwanted } = request();
    unwanted.take(Buffer.from('a'));
    unwanted.discard();
    unwanted.take(Buffer.from('b'));
    unwanted.end();
    assert.deepEqual(told, ['pause', 'resume']);
    assert.equal(unwanted.isComplete, true);
  });

  it('can change readers on its way', () => {
    const { told, reader, request: passed } = request();
    passed.read(reader);
    passed.take(Buffer.from('a'));
    passed.read({ onData: (chunk) => told.push(`second ${Buffer.from(chunk).toString()}`) > 0, onEnd: reader.onEnd });
    passed.take(Buffer.from('b'));
    passed.end();
    assert.deepEqual(told, ['a', 'second b', 'end']);
  });
});
