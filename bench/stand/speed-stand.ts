// SPDX-License-Identifier: Apache-2.0

/**
 * The stand of the speed measurements: a cheap model server, and in front of it once a bare byte relay and once the
 * gateway as `fairlead serve` ships it, each in a process of its own; the benchmark itself is the client. The two take
 * turns, round by round, so that whatever else the machine does falls on both.
 */

import type { GatewayProcess } from '../../packages/fairlead/src/demo/fleet/gateway-process.ts';
import type { BenchmarkContext } from '../harness/benchmark.ts';
import type { BackendOptions } from './backend.ts';
import type { Part } from './part.ts';
import { startPart } from './part.ts';
import { cpuSeconds } from './process-figures.ts';
import { RawLoad, pause } from './raw-load.ts';
import type { RawLoadOptions, WindowFigures } from './raw-load.ts';
import { startShippedGateway } from './shipped-gateway.ts';

const ROUNDS = 5;
/** A shorter run only shows that it runs: one round. */
const SHORT_S = 20;
/** Load before the first round, until the code is compiled. */
const MOST_COMPILING_S = 5;

/**
 * What is measured is the way through the gateway, not the wait for a server: this one answers at once, so its metrics
 * never show what a limit could be learned from, and the limit is typed in.
 */
const WIDE = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: concurrency-detector
    parameters: { maxConcurrency: 10000 }
flowControl:
  saturationDetector: { pluginRef: concurrency-detector }
gateway: { maxConnectionsPerClient: 16000, maxRequestsPerClient: 16000 }
`;

/** One way to the model server. */
export interface Side {
  readonly name: 'direct' | 'relay' | 'gateway';
  /** Of the process in between; that of the model server itself when there is none. */
  readonly pid: number;
  readonly load: RawLoad;
}

/** A window, and the CPU time that the process in between took for it. */
export interface SideFigures extends WindowFigures {
  readonly cpuS: number;
}

export interface StandOptions {
  readonly backend: Omit<BackendOptions, 'servers'>;
  readonly load: Omit<RawLoadOptions, 'port'>;
  /** Configuration of the gateway; by default a limit that is never reached, and room for every client of the stand. */
  readonly config?: string;
  readonly stop: AbortSignal;
}

export class SpeedStand {
  readonly direct: Side;
  readonly relay: Side;
  readonly gateway: Side;
  readonly gatewayProcess: GatewayProcess;
  readonly #parts: readonly Part[];

  private constructor(options: StandOptions, parts: { backend: Part; relay: Part; gateway: GatewayProcess }) {
    const { backend, relay, gateway } = parts;
    const side = (name: Side['name'], pid: number, port: number): Side => ({
      name,
      pid,
      load: new RawLoad({ ...options.load, port }),
    });
    this.#parts = [backend, relay];
    this.gatewayProcess = gateway;
    this.direct = side('direct', backend.pid, backend.ports[0] as number);
    this.relay = side('relay', relay.pid, relay.ports[0] as number);
    this.gateway = side('gateway', gateway.process.pid, Number(new URL(gateway.url).port));
  }

  /** Starts all processes; resolves when the gateway knows its model server. */
  static async start(options: StandOptions): Promise<SpeedStand> {
    const started: { stop(): Promise<void> }[] = [];
    try {
      const backend = await startPart('backend', { ...options.backend, servers: 1 } satisfies BackendOptions);
      started.push(backend);
      const relay = await startPart('byte-relay', { port: backend.ports[0] });
      started.push(relay);
      const gateway = await startShippedGateway(
        [`http://127.0.0.1:${backend.ports[0]}`],
        ['--config-text', options.config ?? WIDE],
      );
      started.push(gateway.process);
      await gateway.ready(1, options.stop);
      return new SpeedStand(options, { backend, relay, gateway });
    } catch (error) {
      await Promise.all(started.map((each) => each.stop()));
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const { load } of [this.direct, this.relay, this.gateway]) load.destroy();
    await Promise.all([this.gatewayProcess.process.stop(), ...this.#parts.map((part) => part.stop())]);
  }
}

function roundsIn({ seconds }: BenchmarkContext): number {
  return seconds < SHORT_S ? 1 : ROUNDS;
}

/** How long each window may be: `windows` in a round, each with `aroundS` before and behind it. */
export function windowSeconds(context: BenchmarkContext, windows: number, aroundS: number): number {
  return Math.max(0.5, context.seconds / (roundsIn(context) + 1) / windows - aroundS);
}

/** How one side is loaded, and for how long. */
export interface RoundOptions {
  readonly start: (load: RawLoad) => void | Promise<void>;
  /** Load before the window. */
  readonly warmUpS: number;
  readonly windowS: number;
}

/** One window of one side. */
export async function windowOf(side: Side, { start, warmUpS, windowS }: RoundOptions): Promise<SideFigures> {
  await start(side.load);
  await pause(warmUpS * 1000);
  const before = cpuSeconds(side.pid);
  const figures = await side.load.window(windowS);
  const cpuS = cpuSeconds(side.pid) - before;
  await side.load.quiet();
  return { ...figures, cpuS };
}

/** Rounds in which the sides take turns; the first, in which code is compiled, is longer and not counted. */
export async function rounds<Name extends string>(
  sides: Readonly<Record<Name, Side>>,
  options: RoundOptions,
  context: BenchmarkContext,
): Promise<Record<Name, SideFigures>[]> {
  const all: Record<Name, SideFigures>[] = [];
  for (let round = 0; round <= roundsIn(context) && !context.stop.aborted; round += 1) {
    const figures: Partial<Record<Name, SideFigures>> = {};
    for (const name of Object.keys(sides) as Name[]) {
      const warmUpS = options.warmUpS + (round === 0 ? Math.min(MOST_COMPILING_S, 2 * options.windowS) : 0);
      figures[name] = await windowOf(sides[name], { ...options, warmUpS });
    }
    if (round > 0) all.push(figures as Record<Name, SideFigures>);
  }
  return all;
}
