// SPDX-License-Identifier: Apache-2.0

/**
 * The house rules a compiler or linter does not know, as data: what each forbids, and an example of it.
 * `test/tidy.test.ts` applies them to the repository and to their examples.
 */

import ts from 'typescript';
import { isCode, isTest, lineOf, nodesOf, parse } from './sources.ts';
import type { Breach, Source } from './sources.ts';

/** One rule about a single file. */
export interface TidyRule {
  /** The rule as a sentence. */
  readonly rule: string;
  appliesTo(source: Source): boolean;
  /** Where the file breaks it. */
  find(source: Source): Omit<Breach, 'path'>[];
  /** Files that break it once each. */
  readonly examples: readonly Source[];
  /** A file that looks similar and is fine. */
  readonly harmless: Source;
}

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;

const inCore = 'packages/core/src/flow-control/queue.ts';
const inTest = 'packages/core/src/flow-control/queue.test.ts';
const licence = '// SPDX-License-Identifier: Apache-2.0';

/** Every rule. Patterns that would find themselves here are put together from pieces. */
export const tidyRules: readonly TidyRule[] = [
  {
    rule: 'code starts with its licence line, then says what it is for',
    appliesTo: isCode,
    find: ({ text, path }) => {
      const [first, ...rest] = text.replace(/^#!.*\n/, '').split('\n');
      if (first !== licence) return [{ line: 1, message: `the first line must be: ${licence}` }];
      const next = rest.find((line) => line.trim() !== '') ?? '';
      if (isTest(path) || /^\/[/*]/.test(next)) return [];
      return [{ line: 2, message: 'a header paragraph must follow: what the file is for, and why' }];
    },
    examples: [
      { path: inCore, text: 'export const a = 1;\n' },
      { path: inCore, text: `${licence}\n\nexport const a = 1;\n` },
    ],
    harmless: { path: inCore, text: `#!/usr/bin/env node\n${licence}\n\n/** Why. */\nexport const a = 1;\n` },
  },
  {
    rule: 'no type is any',
    appliesTo: isCode,
    find: (source) =>
      nodes(
        source,
        (node) => node.kind === ts.SyntaxKind.AnyKeyword,
        () => 'say what it is, or unknown',
      ),
    examples: [
      { path: inCore, text: 'let a: any;' },
      { path: inCore, text: 'const b = c as Map<string, any>;' },
    ],
    harmless: { path: inCore, text: 'const any = 1; // any' },
  },
  {
    rule: 'files and classes are named after something in the domain',
    appliesTo: isCode,
    find: (source) => [
      ...vagueFile(source.path),
      ...nodes(source, isVaguelyNamed, (node) => `vague name: ${nameOf(node)}`),
    ],
    examples: [
      { path: 'packages/core/src/request/utils.ts', text: '' },
      { path: 'packages/core/src/helpers/time.ts', text: '' },
      { path: inCore, text: 'class QueueManager {}' },
      { path: inCore, text: 'interface ClockImpl {}' },
      { path: inCore, text: 'type FlowHelper = number;' },
    ],
    harmless: { path: inCore, text: 'class Implicit {} interface Management {}' },
  },
  {
    rule: `a file has at most ${MAX_FILE_LINES} lines`,
    appliesTo: isCode,
    find: ({ text }) => {
      const count = text.trimEnd().split('\n').length;
      return count > MAX_FILE_LINES ? [{ line: MAX_FILE_LINES, message: `${count} lines` }] : [];
    },
    examples: [{ path: inCore, text: 'a;\n'.repeat(MAX_FILE_LINES + 1) }],
    harmless: { path: inCore, text: 'a;\n'.repeat(MAX_FILE_LINES) },
  },
  {
    rule: `a function has at most ${MAX_FUNCTION_LINES} lines`,
    appliesTo: isCode,
    find: (source) =>
      nodes(
        source,
        (node) => isBody(node) && lineCount(node) > MAX_FUNCTION_LINES,
        (node) => `${lineCount(node)} lines`,
      ),
    examples: [
      { path: inCore, text: `function f() {\n${'a;\n'.repeat(MAX_FUNCTION_LINES)}}` },
      { path: inTest, text: `it('x', async () => {\n${'a;\n'.repeat(MAX_FUNCTION_LINES)}});` },
    ],
    harmless: { path: inTest, text: `describe('x', () => {\n${'it(1);\n'.repeat(MAX_FUNCTION_LINES)}});` },
  },
  {
    rule: 'a test waits for an event or moves a clock, it never sleeps',
    appliesTo: ({ path }) => isCode({ path, text: '' }) && isTest(path),
    find: (source) => nodes(source, isSleep, () => 'a sleep: await the event instead'),
    examples: [
      { path: inTest, text: 'await new Promise((resolve) => setTimeout(resolve, 5));' },
      { path: inTest, text: 'await new Promise<void>((r) => { setTimeout(() => { r(); }, 5); });' },
      { path: inTest, text: `import { setTimeout as after } from 'node:timers/promises';` },
      { path: inTest, text: `import timers from 'timers/promises';` },
      { path: inTest, text: 'Atomics.wait(cell, 0, 0, 5);' },
      { path: inTest, text: 'const pause = promisify(setTimeout);' },
    ],
    harmless: {
      path: inTest,
      text: `const late = setTimeout(() => socket.destroy(), 5); new Promise((done) => server.close(done));
        import { setImmediate as turn } from 'node:timers/promises';`,
    },
  },
  textRule({
    rule: 'nothing is left for later in a comment',
    pattern: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`),
    examples: ['// ' + 'TO' + 'DO: later', '# ' + 'FIX' + 'ME'],
    harmless: 'the todo list of node:test',
  }),
  textRule({
    rule: 'no path of one machine is written down',
    pattern: /(?<![\w.~:/-])\/(home|root|work|Users|var\/folders|tmp)\/[\w.-]+/,
    examples: ['see /ho' + 'me/me/x', `open("/wo` + `rk/main")`, 'cat /tm' + 'p/brief.md'],
    harmless: 'https://example.org/home/page ../work/x',
  }),
  textRule({
    rule: 'no package registry is named',
    pattern: new RegExp(
      [
        'registry\\.[a-z]+js\\.',
        'registry\\.yarn',
        'unp' + 'kg\\.com',
        ':48' + '73\\b',
        '"resol' + 'ved":\\s*"http',
      ].join('|'),
    ),
    examples: ['https://registry.' + 'npmjs.org/x', '"resol' + 'ved": "https://x/y.tgz"'],
    harmless: 'new PluginRegistry()',
  }),
];

interface TextRule {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly examples: readonly string[];
  readonly harmless: string;
}

/** A rule about the words of any text file. */
function textRule({ rule, pattern, examples, harmless }: TextRule): TidyRule {
  return {
    rule,
    appliesTo: () => true,
    find: ({ text }) =>
      text.split('\n').flatMap((words, index) => {
        const found = pattern.exec(words);
        return found === null ? [] : [{ line: index + 1, message: found[0] }];
      }),
    examples: examples.map((text) => ({ path: 'docs/page.md', text })),
    harmless: { path: 'docs/page.md', text: harmless },
  };
}

function nodes(source: Source, isBad: (node: ts.Node) => boolean, say: (node: ts.Node) => string) {
  const bad = [...nodesOf(parse(source))].filter(isBad);
  return bad.map((node) => ({ line: lineOf(node), message: say(node) }));
}

function vagueFile(path: string): Omit<Breach, 'path'>[] {
  const words = path.split('/').flatMap((part) => part.replace(/\..*$/, '').split('-'));
  const vague = words.find((word) => /^(utils?|helpers?|managers?|impl|misc|common)$/.test(word));
  return vague === undefined ? [] : [{ line: 1, message: `vague file name: ${vague}` }];
}

function isVaguelyNamed(node: ts.Node): boolean {
  const isNamedType = ts.isClassLike(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
  return isNamedType && /(Manager|Helpers?|Impl|Utils?|Accessor)$/.test(nameOf(node));
}

function nameOf(node: ts.Node): string {
  return (node as ts.NamedDeclaration).name?.getText() ?? '';
}

/** A function with a body; a `describe` callback is a chapter, not a function. */
function isBody(node: ts.Node): boolean {
  if (!ts.isFunctionLike(node)) return false;
  const { parent } = node;
  return !(ts.isCallExpression(parent) && /^(describe|suite)\b/.test(parent.expression.getText()));
}

function lineCount(node: ts.Node): number {
  const file = node.getSourceFile();
  return file.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - lineOf(node);
}

/** A promise that only a timer resolves, in any spelling. */
function isSleep(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) {
    return (
      /timers\/promises/.test(node.moduleSpecifier.getText()) && !/\{\s*setImmediate\b[^,]*\}/.test(node.getText())
    );
  }
  if (ts.isCallExpression(node))
    return /^(Atomics\.wait\(|scheduler\.wait\(|(util\.)?promisify\(setTimeout)/.test(node.getText());
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'Promise') return false;
  const resolver = /^\(?\s*(\w+)/.exec(node.arguments?.[0]?.getText() ?? '')?.[1];
  if (resolver === undefined) return false;
  return new RegExp(`\\bsetTimeout\\(\\s*(${resolver}\\b|\\(\\)\\s*=>\\s*\\{?\\s*${resolver}\\()`).test(node.getText());
}
