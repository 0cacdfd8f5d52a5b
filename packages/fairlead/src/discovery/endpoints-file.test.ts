// SPDX-License-Identifier: Apache-2.0

/** The reference's endpoints file, right and wrong. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseEndpointsFile } from './endpoints-file.ts';

function problems(text: string): readonly string[] {
  const parsed = parseEndpointsFile(text, 'f.yaml');
  assert.ok('problems' in parsed, JSON.stringify(parsed));
  return parsed.problems;
}

describe('the endpoints file', () => {
  it('is read as the reference reads it', () => {
    const text = `
endpoints:
  - name: vllm-0
    address: "10.0.0.1"
    port: "8000"
  - name: vllm-1
    namespace: team-a
    address: 10.0.0.2
    port: "8001"
    metricsHost: 10.0.0.2:9000
    labels: { llm-d.ai/engine-type: vllm }
`;
    assert.deepEqual(parseEndpointsFile(text, 'f.yaml'), {
      endpoints: [
        { name: 'vllm-0', url: 'http://10.0.0.1:8000', labels: {}, models: [] },
        {
          name: 'team-a/vllm-1',
          url: 'http://10.0.0.2:8001',
          labels: { 'llm-d.ai/engine-type': 'vllm' },
          models: [],
        },
      ],
    });
  });

  it('may be JSON, with IPv6 addresses and ports as numbers', () => {
    const text = JSON.stringify({ endpoints: [{ name: 'a', address: '2001:db8::1', port: 8000 }] });
    assert.deepEqual(parseEndpointsFile(text, 'f.json'), {
      endpoints: [{ name: 'a', url: 'http://[2001:db8::1]:8000', labels: {}, models: [] }],
    });
  });

  it('may list no endpoints, but says so', () => {
    assert.deepEqual(parseEndpointsFile('endpoints: []', 'f'), { endpoints: [] });
    for (const text of ['', '# nothing yet', 'endpoints:', 'other: 1', '[]']) {
      assert.match(problems(text)[0]!, /endpoints: .*allowed is a list; `endpoints: \[\]` for none$/);
    }
  });

  it('tells all its problems at once, each with its place', () => {
    const text = `endpoints:
  - name: ""
    address: engine.local
    port: 70000
  - address: fe80::1%eth0
    port: "80x"
    labels: {a: 1}
  - 7
`;
    assert.deepEqual(problems(text), [
      'f.yaml:2:11: endpoints[0].name: got ""; allowed is a string of 1 to 253 printable characters',
      'f.yaml:3:14: endpoints[0].address: got "engine.local"; allowed is an IPv4 or IPv6 address',
      'f.yaml:4:11: endpoints[0].port: got 70000; allowed is a port from 1 to 65535',
      'f.yaml:5:5: endpoints[1].name: is missing; allowed is a string of 1 to 253 printable characters',
      'f.yaml:5:14: endpoints[1].address: got "fe80::1%eth0"; allowed is an IPv4 or IPv6 address',
      'f.yaml:6:11: endpoints[1].port: got "80x"; allowed is a port from 1 to 65535',
      'f.yaml:7:17: endpoints[1].labels.a: got 1; allowed is a string (in quotes, when it looks like something else)',
      'f.yaml:8:5: endpoints[2]: got 7; allowed is a mapping with name, address and port',
    ]);
  });

  it('tells twenty of its problems, and how many more there are', () => {
    for (const [text, last] of [
      [`endpoints:\n${'  - 7\n'.repeat(170_000)}`, 'f.yaml: and 169980 more problems'],
      [`endpoints:\n${'  - 7\n'.repeat(21)}`, 'f.yaml: and 1 more problem'],
    ] as const) {
      const told = problems(text);
      assert.equal(told.length, 21);
      assert.equal(told.at(-1), last);
    }
    assert.equal(problems(`endpoints:\n${'  - 7\n'.repeat(20)}`).length, 20);
    assert.match(problems(`a: 1\n${'"x" "y"\n'.repeat(100)}`).at(-1)!, /^f\.yaml: and \d+ more problems$/);
  });

  it('is refused when two endpoints have one name or one address', () => {
    const text = `endpoints:
  - {name: a, address: 10.0.0.1, port: 1}
  - {name: a, address: 10.0.0.1, port: 1}
`;
    assert.deepEqual(problems(text), [
      'f.yaml:3:12: endpoints[1].name: got "a"; allowed is a name that no other endpoint has',
      'f.yaml:3:24: endpoints[1].address: got "http://10.0.0.1:1"; allowed is an address and port that no other endpoint has',
    ]);
  });

  it('is refused where it is not YAML, with the place', () => {
    assert.match(problems('endpoints: [')[0]!, /^f\.yaml:1:\d+: /);
    assert.match(problems('a: 1\n---\nb: 2\n')[0]!, /^f\.yaml:\d:\d+: .*multiple documents/);
    assert.match(
      problems(
        'a: &x [1,1]\nb: &y [*x,*x,*x,*x,*x,*x,*x,*x,*x,*x]\nc: &z [*y,*y,*y,*y,*y,*y,*y,*y,*y,*y]\nendpoints: [*z,*z]',
      )[0]!,
      /alias/,
    );
  });

  it('never throws, whatever it holds', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseEndpointsFile(text, 'f')));
    fc.assert(fc.property(fc.json(), (text) => void parseEndpointsFile(`{"endpoints": [${text}]}`, 'f')));
    parseEndpointsFile('endpoints: &a [*a]', 'f');
    parseEndpointsFile(
      'endpoints: [{name: a, address: 1.1.1.1, port: 1, labels: {__proto__: x, constructor: y}}]',
      'f',
    );
  });
});
