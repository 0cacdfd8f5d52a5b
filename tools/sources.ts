// SPDX-License-Identifier: Apache-2.0

/**
 * The repository's own text, as the architecture and tidy tests see it: every file that is not built, downloaded or
 * ignored, and the parsed form of those that are code. Walking the folders rather than asking git also finds files
 * that are not committed yet, and works in an unpacked archive.
 */

import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** One text file. */
export interface Source {
  /** Relative to the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** One `import`, `export … from` or literal `import()`. */
export interface Import {
  /**
   * What is imported: a path like `Source.path` for a file of this repository (workspace package names included),
   * else the specifier itself (`node:fs`, `undici`).
   */
  readonly target: string;
  /** 1-based. */
  readonly line: number;
}

/** One breach of a rule, printed as `path:line: message`. */
export interface Breach {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

const skippedFolders = new Set(['node_modules', 'dist', '.git', '.cache']);
const textFile =
  /\.(ts|js|cjs|mjs|json|md|ya?ml|html|css|sh|proto|txt)$|(^|\/)(\.[a-z]+rc|\.ci\/run|\.\w+ignore|LICENSE)$/;
const codeFile = /\.(ts|js|cjs|mjs)$/;
const workspacePackages: Readonly<Record<string, string>> = {
  '@fairlead/core': 'packages/core/src',
  fairlead: 'packages/fairlead/src',
};

/** Every text file below `root`. */
export function readSources(root: string): Source[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((file) => textFile.test(file) && !file.split('/').some((part) => skippedFolders.has(part)))
    .sort()
    .map((file) => ({ path: file, text: readFileSync(path.join(root, file), 'utf8') }));
}

/** Whether a file is code (TypeScript or JavaScript). */
export function isCode(source: Source): boolean {
  return codeFile.test(source.path);
}

/** Whether a path is a test: beside the source, or anything below the root's `test/`. */
export function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.startsWith('test/');
}

/** The syntax tree of a code file, with parent links. */
export function parse(source: Source): ts.SourceFile {
  return ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
}

/** All nodes below `node`, itself included, parents first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

/** The 1-based line a node starts on. */
export function lineOf(node: ts.Node): number {
  const file = node.getSourceFile();
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

/** Everything a code file imports, type-only imports included: an arrow is an arrow. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  for (const node of nodesOf(parse(source))) {
    const specifier = importedSpecifier(node);
    if (specifier !== undefined) imports.push({ target: resolve(source.path, specifier), line: lineOf(node) });
  }
  return imports;
}

function importedSpecifier(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literalText(node.moduleSpecifier);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literalText(node.argument.literal);
  const isCallOfImport =
    ts.isCallExpression(node) &&
    (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require');
  return isCallOfImport ? literalText(node.arguments[0]) : undefined;
}

function literalText(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function resolve(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(from), specifier);
  for (const [name, folder] of Object.entries(workspacePackages)) {
    if (specifier === name) return `${folder}/index.ts`;
    if (specifier.startsWith(`${name}/`)) return `${folder}/${specifier.slice(name.length + 1)}/index.ts`;
  }
  return specifier;
}
