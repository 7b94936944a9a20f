import path from 'node:path';
import { IsomorphError } from '../../../shared/errors/isomorph-error.ts';
import { plural } from '../../../shared/text/plural.ts';
import type { ProcessName } from '../services.ts';
import { type Env, isSet, type Variable } from './variable.ts';
import { VARIABLES } from './variables.ts';

type Variables = typeof VARIABLES;
type ValueOf<V> = V extends { readonly fallback: infer T } ? T : V extends Variable<infer T> ? T | undefined : never;

/** The configuration of a process, as read from its environment; folders are absolute. */
export type Config = { readonly [K in keyof Variables]: ValueOf<Variables[K]> };

export type { Env } from './variable.ts';

const FOLDERS = ['registryDir', 'processorsDir', 'homeDir'] as const;

function isNeeded({ fallback, neededBy, neededWhen = [] }: Variable<unknown>, env: Env, by: readonly ProcessName[]) {
  if (fallback !== undefined) return false;
  const needs = [...neededBy, ...neededWhen.filter(({ holds }) => holds(env)).map((condition) => condition.by)];
  return by.some((name) => needs.includes(name));
}

function read<T>(variable: Variable<T>, env: Env, by: readonly ProcessName[], faults: string[]): T | undefined {
  const text = env[variable.name];
  const { name, meaning, expected } = variable;
  if (!isSet(text)) {
    if (isNeeded(variable, env, by)) {
      faults.push(`  ${name} is missing: ${meaning}; expected ${expected}`);
    }
    return variable.fallback;
  }
  const value = variable.parse(text);
  // The value stays out of the message: it may hold a password.
  if (value === undefined) faults.push(`  ${name} is not usable: ${meaning}; expected ${expected}`);
  return value;
}

/**
 * The configuration for running `processes`.
 * @throws ERR_CONFIG with every fault in one readable message.
 */
export function readConfig(env: Env, processes: readonly ProcessName[]): Config {
  const faults: string[] = [];
  const entries = Object.entries(VARIABLES).map(([key, variable]) => [
    key,
    read(variable as Variable<unknown>, env, processes, faults),
  ]);
  if (faults.length > 0) {
    const who = processes.join(', ') || 'isomorph';
    throw new IsomorphError(
      'ERR_CONFIG',
      `${who} cannot start, the environment has ${plural(faults.length, 'fault')}:\n${faults.join('\n')}`,
    );
  }
  const config = Object.fromEntries(entries) as Record<string, unknown>;
  for (const folder of FOLDERS) config[folder] = path.resolve(String(config[folder]));
  return config as Config;
}
