// SPDX-License-Identifier: Apache-2.0

/** The `schedulingProfiles` section, with the reference's rules for what a file leaves out. */

import { involvedPlugins } from '@fairlead/core';
import type {
  Filter,
  Path,
  Picker,
  Plugin,
  PluginKind,
  Producer,
  ProfileHandler,
  Scorer,
  SchedulingProfile,
} from '@fairlead/core';
import { refer, refuseDuplicates } from './resolution.ts';
import type { Resolution, Section } from './resolution.ts';

export interface ResolvedScheduling {
  readonly handler: ProfileHandler;
  readonly profiles: readonly SchedulingProfile[];
  /** Those that the profiles' plugins refer to. */
  readonly producers: readonly Producer[];
}

/** A profile as given, or as made up by default. */
interface ProfileFields {
  readonly name: string;
  readonly path: Path;
  readonly plugins: readonly {
    readonly pluginRef: string;
    readonly weight?: number | undefined;
    readonly path: Path;
  }[];
}

type ProfileDocument = Readonly<Record<string, unknown>>;

const stages: readonly PluginKind[] = ['filter', 'scorer', 'picker'];

export function resolveScheduling(resolution: Resolution): Section<ResolvedScheduling, readonly ProfileDocument[]> {
  const given = givenProfiles(resolution);
  refuseDuplicates(
    resolution,
    given.map(({ name, path }) => ({ value: name, path: [...path, 'name'] })),
    (name) => `schedulingProfiles has duplicate name '${String(name)}'`,
  );
  const sections = given.map((profile) => resolveProfile(resolution, profile));
  const profiles = sections.map(({ resolved }) => resolved);
  const handler = resolveHandler(resolution, profiles);
  const producers = consumedProducers(resolution, profiles);
  return { resolved: { handler, profiles, producers }, document: sections.map(({ document }) => document) };
}

function givenProfiles(resolution: Resolution): readonly ProfileFields[] {
  const given = resolution.fields.schedulingProfiles;
  if (given.length === 0) return [defaultProfile(resolution)];
  return given.flatMap((profile, index) => {
    if (profile?.name === undefined) return [];
    const path = ['schedulingProfiles', index];
    const plugins = profile.plugins.flatMap((member, place) =>
      member?.pluginRef === undefined
        ? []
        : [{ pluginRef: member.pluginRef, weight: member.weight, path: [...path, 'plugins', place, 'pluginRef'] }],
    );
    return [{ name: profile.name, path, plugins }];
  });
}

/**
 * One profile of every filter, scorer and picker that is configured. A saturation detector is a filter too, and in the
 * reference a profile of its own accord; `serve` does not take a detector alone for a wish about scheduling.
 */
function defaultProfile({ handle, defaults, defaultSet }: Resolution): ProfileFields {
  const path = ['schedulingProfiles'];
  const own = handle.configured().filter(({ kinds }) => kinds.some((kind) => stages.includes(kind)));
  const isWish = own.some(({ kinds }) => defaultSet === 'reference' || !kinds.includes('saturation'));
  if (isWish) return { name: 'default', path, plugins: own.map(({ name }) => ({ pluginRef: name, path })) };
  const plugins = Object.entries(defaults.scorers).map(([pluginRef, weight]) => ({ pluginRef, weight, path }));
  return { name: 'default', path, plugins };
}

interface Member {
  readonly kinds: readonly PluginKind[];
  readonly pluginRef: string;
  readonly weight: number;
  readonly path: Path;
}

function resolveProfile(resolution: Resolution, { name, path, plugins }: ProfileFields): Section<SchedulingProfile> {
  const { handle, problems } = resolution;
  const members = plugins.map(({ pluginRef, weight = 1, path: at }) => {
    const instance = handle.refer(pluginRef, stages, { path: at, problems });
    return { pluginRef, weight, path: at, instance, kinds: handle.kindsOf(pluginRef) ?? [] };
  });
  const inStage = <T>(kind: PluginKind) =>
    members
      .filter(({ kinds }) => kinds.includes(kind))
      .map(({ instance, weight }) => ({ instance: instance as T, weight }));
  const pickers = members.filter(({ kinds }) => kinds.includes('picker'));
  refuseSecondPicker(resolution, name, pickers);
  const pickerRef = pickers[0]?.pluginRef ?? defaultPicker(resolution);
  const picker: Picker = refer(resolution, { name: pickerRef, kind: 'picker', path: pickers[0]?.path ?? path });
  const others = members.filter(({ kinds }) => !kinds.includes('picker'));
  return {
    resolved: {
      name,
      filters: inStage<Filter>('filter').map(({ instance }) => instance),
      scorers: inStage<Scorer>('scorer').map(({ instance, weight }) => ({ scorer: instance, weight })),
      picker,
    },
    document: { name, plugins: [...others.map(memberDocument), { pluginRef: pickerRef }] },
  };
}

function memberDocument({ kinds, pluginRef, weight }: Member): Readonly<Record<string, unknown>> {
  return kinds.includes('scorer') ? { pluginRef, weight } : { pluginRef };
}

function refuseSecondPicker({ problems }: Resolution, profile: string, pickers: readonly Member[]): void {
  const [first, second] = pickers;
  if (first === undefined || second === undefined) return;
  const message = `profile '${profile}' has two pickers ('${first.pluginRef}' and '${second.pluginRef}'); only one is allowed`;
  problems.push({ path: second.path, message, value: second.pluginRef });
}

function defaultPicker({ handle }: Resolution): string {
  return handle.configured().find(({ kinds }) => kinds.includes('picker'))?.name ?? 'max-score-picker';
}

function resolveHandler(resolution: Resolution, profiles: readonly SchedulingProfile[]): ProfileHandler {
  const { handle, problems } = resolution;
  const path = ['schedulingProfiles'];
  const configured = handle.configured().filter(({ kinds }) => kinds.includes('profile-handler'));
  const [first, second] = configured;
  if (second !== undefined) {
    const names = configured.map(({ name }) => `'${name}'`).join(',');
    problems.push({ path: second.path, message: `multiple profile handlers found (${names}); only one is allowed` });
  }
  if (first === undefined && profiles.length > 1) {
    problems.push({ path, message: 'no profile handler configured: several profiles need one in plugins', at: 'key' });
  }
  const name = first?.name ?? 'single-profile-handler';
  const handler = refer(resolution, { name, kind: 'profile-handler', path: first?.path ?? path });
  const isReady = (first !== undefined || profiles.length === 1) && profiles.every(isWhole);
  if (isReady && (handler as ProfileHandler | undefined) !== undefined) checkProfiles(resolution, handler, profiles);
  return handler;
}

/** One that no plugin of a profile asks has nothing to find out. */
function consumedProducers({ handle }: Resolution, profiles: readonly SchedulingProfile[]): readonly Producer[] {
  const involved = new Set<Plugin>(involvedPlugins({ profiles: profiles.filter(isWhole) }));
  const consumed = handle
    .records()
    .flatMap(({ instance, definition, parameters }) =>
      involved.has(instance)
        ? Object.entries(definition.parameters).flatMap(([key, spec]) =>
            spec.type === 'plugin-ref' && spec.kind === 'producer' ? [parameters[key]] : [],
          )
        : [],
    );
  return handle.records('producer').flatMap(({ instance }) => (consumed.includes(instance.name) ? [instance] : []));
}

/** Whether every plugin of the profile could be made. */
function isWhole({ filters, scorers, picker }: SchedulingProfile): boolean {
  return [...filters, ...scorers.map(({ scorer }) => scorer), picker].every(
    (plugin) => (plugin as unknown) !== undefined,
  );
}

function checkProfiles(
  { problems }: Resolution,
  handler: ProfileHandler,
  profiles: readonly SchedulingProfile[],
): void {
  try {
    handler.check(profiles);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    problems.push({ path: ['schedulingProfiles'], message, at: 'key' });
  }
}
