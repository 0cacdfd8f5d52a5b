// SPDX-License-Identifier: Apache-2.0

/**
 * The demo, start to end: raise the stage, play the phases, say what was measured, and (unless asked for JSON) go on
 * serving until Ctrl-C. Whatever happens, everything that was started is ended.
 */

import { FIRST_TOKEN_MS, SERVER_SLOTS, TOKEN_MS } from './fleet/model-servers.ts';
import { ChildError } from './fleet/child.ts';
import { finalTable } from './final-table.ts';
import type { Output } from './live-view.ts';
import { LiveView } from './live-view.ts';
import { PHASES } from './phases.ts';
import { Player } from './player.ts';
import type { DemoResult } from './result.ts';
import { rest } from './rest.ts';
import type { Stage } from './stage.ts';
import { raiseStage } from './stage.ts';

/** Kept back from the given time for taking everything down. */
const CURTAIN_MS = 1_200;
const LAST_WORDS_MS = 500;

const exitCode = { done: 0, failed: 1, interrupted: 130 } as const;

export interface DemoOptions {
  /** From the start to the final table. */
  readonly durationS: number;
  /** Print the result as one JSON object on the last line of `stdout`, everything else to `stderr`, and end. */
  readonly json: boolean;
  /** The user's own servers; empty for three modelled ones. */
  readonly endpoints: readonly string[];
  readonly model: string | undefined;
  /** Sequences the user's servers run together. */
  readonly slots: number | undefined;
  readonly seed: number;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Ends the demo early; what was measured so far is still told. */
  readonly stop: AbortSignal;
}

/** Resolves to the exit code: 1 when something could not start or ended by itself. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const endsAtMs = performance.now() + options.durationS * 1000 - CURTAIN_MS;
  const view = new LiveView(options.json ? options.stderr : options.stdout);
  let stage: Stage | undefined;
  try {
    view.say(options.endpoints.length > 0 ? 'starting a gateway …' : 'starting three model servers and a gateway …');
    stage = await raiseStage(options);
    introduce(stage, options, view);
    return await play({ stage, options, view, endsAtMs });
  } catch (error) {
    if (!(error instanceof ChildError)) throw error;
    options.stderr.write(`fairlead demo: ${error.message}\n`);
    return exitCode.failed;
  } finally {
    await stage?.close();
  }
}

function introduce(stage: Stage, options: DemoOptions, view: LiveView): void {
  const servers = stage.ownsServers
    ? `3 model servers × ${SERVER_SLOTS} slots, ${FIRST_TOKEN_MS} ms to the first token, then one every ${TOKEN_MS} ms`
    : `your servers: ${options.endpoints.join(', ')}`;
  view.say(servers);
  view.say(`gateway ${stage.gateway.url} (fairlead serve, no configuration), admin ${stage.gateway.adminUrl}`);
}

async function play(parts: { stage: Stage; options: DemoOptions; view: LiveView; endsAtMs: number }): Promise<number> {
  const { stage, options, view } = parts;
  const halt = new AbortController();
  let failure: ChildError | undefined;
  const failed = stage.failed.then((error) => {
    failure ??= error;
    halt.abort();
  });
  const player = new Player({ stage, view, seed: options.seed, halt: AbortSignal.any([options.stop, halt.signal]) });
  try {
    const phases = PHASES.filter((phase) => phase.kills !== true || stage.ownsServers);
    const result: DemoResult = { schema: 1, phases: await player.play(phases, parts.endsAtMs) };
    tell(result, options, view);
    if (!options.json && !halt.signal.aborted && !options.stop.aborted) {
      view.say('serving on under the protected load; Ctrl-C ends it');
      await player.goOn();
    }
  } catch (error) {
    // That the gateway ended says more than that it no longer answers; it takes a moment to be known.
    await rest(LAST_WORDS_MS, halt.signal, failed);
    if (failure === undefined) throw error;
  } finally {
    await player.close();
  }
  if (failure !== undefined) throw failure;
  return options.json && options.stop.aborted ? exitCode.interrupted : exitCode.done;
}

function tell(result: DemoResult, options: DemoOptions, view: LiveView): void {
  if (result.phases.length === 0) view.say('nothing was measured');
  else for (const line of finalTable(result)) view.say(line);
  if (options.json) options.stdout.write(`${JSON.stringify(result)}\n`);
}
