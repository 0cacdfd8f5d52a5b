// SPDX-License-Identifier: Apache-2.0

/**
 * The arrows that must never exist between the rooms of the house, as data: for the files under `from`, what they may
 * or may not import. `test/architecture.test.ts` applies each rule to the repository, and to an example that breaks
 * it, so that no rule can go blind.
 */

import ts from 'typescript';
import { importsOf, isTest, lineOf, nodesOf, parse } from './sources.ts';
import type { Breach, Source } from './sources.ts';

/** One rule about imports. Paths end with `/` when they name a folder. */
export interface Arrow {
  /** The rule as a sentence. */
  readonly rule: string;
  readonly from: readonly string[];
  /** Files under `from` the rule does not speak about. */
  readonly except?: readonly string[];
  /** When given, whatever is imported has to be one of these. */
  readonly only?: readonly string[];
  /** None of these may be imported. */
  readonly never?: readonly string[];
  /** Tests are free to reach across rooms, unless the rule is about them too. */
  readonly testsToo?: boolean;
  /** A file that breaks the rule: its path and an import it must not have. */
  readonly example: readonly [path: string, specifier: string];
}

const core = 'packages/core/src/';
const fairlead = 'packages/fairlead/src/';

/** Every rule, in the order of the rooms. */
export const arrows: readonly Arrow[] = [
  {
    rule: 'the core imports nothing from outside the core',
    from: [core],
    only: [core],
    example: [`${core}flow-control/expiry.ts`, 'node:timers'],
  },
  {
    rule: 'the tests of the core need nothing but the core, node: modules and fast-check',
    from: [core],
    only: [core, 'node:', 'fast-check'],
    testsToo: true,
    example: [`${core}flow-control/expiry.test.ts`, 'fairlead'],
  },
  {
    rule: 'the request vocabulary imports nothing else of the core, but for the endpoint that a permit names',
    from: [`${core}request/`],
    only: [`${core}request/`, `${core}endpoints/endpoint.ts`],
    example: [`${core}request/permit.ts`, '../flow-control/flow-controller.ts'],
  },
  {
    rule: 'flow control knows no concrete plugin',
    from: [`${core}flow-control/`],
    never: [`${core}plugins/`],
    example: [`${core}flow-control/priority-band.ts`, '../plugins/fairness/round-robin.ts'],
  },
  {
    rule: 'endpoints and the scheduler know no concrete plugin',
    from: [`${core}endpoints/`, `${core}scheduling/`, `${core}plugin-registry/`],
    never: [`${core}plugins/`],
    example: [`${core}scheduling/scheduler.ts`, '../plugins/scorers/queue.ts'],
  },
  {
    rule: 'a plugin sees contracts, never the flow controller',
    from: [`${core}plugins/`],
    never: [`${core}flow-control/flow-controller.ts`, `${core}flow-control/invariants.ts`],
    example: [`${core}plugins/fairness/round-robin.ts`, '../../flow-control/flow-controller.ts'],
  },
  {
    rule: 'what runs in production never imports the testing kit',
    from: [core, fairlead],
    except: [`${core}testing/`, `${fairlead}simulate/`, `${fairlead}cli/simulate.ts`],
    never: [`${core}testing/`],
    example: [`${fairlead}gateway/server.ts`, '@fairlead/core/testing'],
  },
  {
    rule: 'the gateway talks to the director, not to what stands behind it',
    from: [`${fairlead}gateway/`, `${fairlead}ext-proc/`],
    never: ['model-servers/', 'discovery/', 'observability/', 'model-server/', 'cli/'].map((room) => fairlead + room),
    example: [`${fairlead}gateway/server.ts`, '../model-servers/upstream-client.ts'],
  },
  {
    rule: 'what reads and writes HTTP as bytes, or says what they mean, knows no socket',
    from: ['gateway/wire/', 'gateway/protocol/', 'model-servers/wire/'].map((room) => fairlead + room),
    never: ['node:net', 'node:tls', `${fairlead}sockets/turn-writes.ts`],
    example: [`${fairlead}gateway/wire/client-response.ts`, 'node:net'],
  },
  {
    rule: 'the gateway never imports another front door',
    from: [`${fairlead}gateway/`],
    never: [`${fairlead}admin/`, `${fairlead}ext-proc/`],
    example: [`${fairlead}gateway/server.ts`, '../admin/health.ts'],
  },
  {
    rule: 'the Endpoint Picker never imports another front door',
    from: [`${fairlead}ext-proc/`],
    never: [`${fairlead}admin/`, `${fairlead}gateway/`],
    example: [`${fairlead}ext-proc/server.ts`, '../gateway/server.ts'],
  },
  {
    rule: 'the admin door never imports another front door',
    from: [`${fairlead}admin/`],
    never: [`${fairlead}gateway/`, `${fairlead}ext-proc/`],
    example: [`${fairlead}admin/state.ts`, '../gateway/server.ts'],
  },
  {
    rule: 'the director knows no front door',
    from: [`${fairlead}director/`],
    never: ['gateway/', 'ext-proc/', 'admin/', 'cli/', 'model-server/'].map((room) => fairlead + room),
    example: [`${fairlead}director/director.ts`, '../gateway/server.ts'],
  },
  {
    rule: 'only a composition root imports observability',
    from: [fairlead],
    except: [`${fairlead}observability/`, `${fairlead}cli/`, `${fairlead}serve/`],
    never: [`${fairlead}observability/`],
    example: [`${fairlead}director/director.ts`, '../observability/catalogue.ts'],
  },
  {
    rule: 'nothing but the command line imports the command line',
    from: [fairlead, core],
    except: [`${fairlead}cli/`],
    never: [`${fairlead}cli/`],
    example: [`${fairlead}model-server/http.ts`, '../cli/serve.ts'],
  },
  {
    rule: 'the model server stands alone: Fairlead could be wrong and it would not notice',
    from: [`${fairlead}model-server/`],
    only: [`${fairlead}model-server/`, 'node:'],
    example: [`${fairlead}model-server/http.ts`, '../gateway/sse.ts'],
  },
];

/** Where `sources` break one rule. */
export function breaches(arrow: Arrow, sources: readonly Source[]): Breach[] {
  return sources
    .filter((source) => applies(arrow, source.path))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ target }) => !isAllowed(arrow, target))
        .map(({ target, line }) => ({ path: source.path, line, message: `imports ${target}: ${arrow.rule}` })),
    );
}

function applies(arrow: Arrow, file: string): boolean {
  if (isTest(file) && arrow.testsToo !== true) return false;
  return startsWithAny(file, arrow.from) && !startsWithAny(file, arrow.except ?? []);
}

function isAllowed(arrow: Arrow, target: string): boolean {
  if (arrow.only !== undefined && !startsWithAny(target, arrow.only)) return false;
  return !startsWithAny(target, arrow.never ?? []);
}

function startsWithAny(text: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => text.startsWith(prefix));
}

/** Names a pure core cannot use: time, randomness, timers, the host, output. They come in through constructors. */
const impure = new Set(
  'Date performance setTimeout setInterval setImmediate queueMicrotask console process globalThis Buffer fetch crypto'.split(
    ' ',
  ),
);

/** Where the core (tests aside) reaches for the world around it. */
export function impurities(sources: readonly Source[]): Breach[] {
  return sources
    .filter((source) => source.path.startsWith(core) && !isTest(source.path))
    .flatMap((source) =>
      [...nodesOf(parse(source))].filter(isImpure).map((node) => ({
        path: source.path,
        line: lineOf(node),
        message: `uses ${node.getText()}: the core is a deterministic machine`,
      })),
    );
}

function isImpure(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.getText() === 'Math.random';
  return ts.isIdentifier(node) && impure.has(node.text) && !isOwnName(node);
}

/** `event.process`, `{ process: 1 }` and the like only happen to be spelled so. */
function isOwnName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return (
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent)
  );
}

/** Import cycles, each as the list of files that closes it. Type-only imports count: they tie readers all the same. */
export function cycles(sources: readonly Source[]): string[][] {
  const graph = new Map(sources.map((source) => [source.path, importsOf(source).map(({ target }) => target)]));
  const found: string[][] = [];
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) found.push([...trail.slice(start), file]);
    if (start >= 0 || finished.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
