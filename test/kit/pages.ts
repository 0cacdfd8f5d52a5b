// SPDX-License-Identifier: Apache-2.0

/** The project's pages as a reader meets them: headings, links, and blocks of commands that say they can be run. */

import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

export interface Page {
  /** From the root of the project. */
  readonly name: string;
  readonly text: string;
}

/** Every Markdown page of the project, by name. */
export function pages(): Page[] {
  const isOurs = (name: string): boolean => name.endsWith('.md') && !/(^|\/)(node_modules|dist|\.cache)\//.test(name);
  const names = ['docs', 'examples', 'deploy', 'packages'].flatMap((folder) => listed(folder));
  const top = readdirSync(root).map(String);
  return [...top, ...names].filter(isOurs).map((name) => ({ name, text: readFileSync(path.join(root, name), 'utf8') }));
}

function listed(folder: string): string[] {
  try {
    return readdirSync(path.join(root, folder), { recursive: true }).map((name) => path.join(folder, String(name)));
  } catch {
    return [];
  }
}

/** What a page links to, outside of its blocks of code. */
export function linksOf({ text }: Page): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const headings = text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} +(.+)$/gm);
  return new Set([...headings].map(([, heading]) => anchor(heading!)));
}

function anchor(heading: string): string {
  const plain = heading.replace(/[`*]/g, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return plain
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/**
 * Configurations that a page shows in blocks opened by "```yaml", in order: those that begin with the head of one, or with
 * one of its `sections`, which get that head. Other YAML (manifests of Kubernetes, say) is none of ours.
 */
export function configurationsOf({ text }: Page, sections: readonly string[]): string[] {
  const head = 'apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n';
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, block]) => block!);
  return blocks.flatMap((block) => {
    if (block.startsWith(head)) return [block];
    const [, section = ''] = /^(\w+):/.exec(block) ?? [];
    return sections.includes(section) && section !== 'apiVersion' && section !== 'kind' ? [head + block] : [];
  });
}

/** Commands of a page that are run by a test. */
export interface RunnableBlock {
  readonly commands: string;
  /** They are for the root of the project, by `npm run`; else for any folder, with `fairlead` installed. */
  readonly inCheckout: boolean;
}

/** Blocks opened by "```sh run" or "```sh run checkout", in order. */
export function runnableBlocks({ text }: Page): RunnableBlock[] {
  return [...text.matchAll(/^```sh run( checkout)?\n([\s\S]*?)^```/gm)].map(([, where, commands]) => ({
    commands: commands!,
    inCheckout: where !== undefined,
  }));
}
