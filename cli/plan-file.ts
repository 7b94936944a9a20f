import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { fault, IsomorphError } from '../shared/errors/isomorph-error.ts';
import { isPlanId } from '../shared/ids/ids.ts';
import { placeInFile, readDocumentBytes } from '../shared/schema/yaml-text.ts';
import { unreadable } from './local-file.ts';
import type { Terminal } from './terminal.ts';

/** A plan document as far as a client must know it: admission is the one judge of the rest. */
export interface PlanDocument extends Record<string, unknown> {
  plan_id: string;
}

async function readBytes(file: string, terminal: Terminal): Promise<Uint8Array> {
  if (file === '-') return buffer(terminal.stdin);
  try {
    return await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

function parse(source: Uint8Array, file: string): Record<string, unknown> {
  const read = readDocumentBytes(source, file);
  if (!read.ok) {
    const { code, message, pointer = '', expected } = read.faults[0] ?? fault('ERR_NOT_YAML', 'it cannot be read');
    throw new IsomorphError(code, message, {
      pointer: pointer === '' ? file : placeInFile(file, pointer),
      ...(expected === undefined ? {} : { expected }),
    });
  }
  const { value } = read;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new IsomorphError('ERR_SCHEMA', `${file} holds no object`, { expected: 'a plan in YAML or JSON' });
}

export interface PlanOverrides {
  readonly planId?: string | undefined;
  readonly adapter?: string | undefined;
}

/**
 * The plan of a file (`-`: standard input), YAML or JSON, with what the command line overrides. Paths of a plan
 * that is run under several ids say `{plan_id}`, which admission expands.
 * @throws ERR_FILE, ERR_NOT_YAML and ERR_NOT_JSON with line and column, ERR_NOT_I_JSON with its pointer, ERR_SCHEMA for no object, ERR_PLAN_ID.
 */
export async function readPlan(file: string, terminal: Terminal, overrides: PlanOverrides): Promise<PlanDocument> {
  const parsed = parse(await readBytes(file, terminal), file);
  const planId = overrides.planId ?? parsed.plan_id;
  if (!isPlanId(planId)) {
    throw new IsomorphError('ERR_PLAN_ID', `${file}: the plan_id is missing or malformed`, {
      pointer: '/plan_id',
      expected: 'a string of the form [a-z0-9][a-z0-9_-]{0,62}, here or by --plan-id',
    });
  }
  return { ...parsed, plan_id: planId, ...(overrides.adapter === undefined ? {} : { adapter: overrides.adapter }) };
}

/** Step ids as the document gives them; for the width of a column. */
export function stepIdsOf({ steps }: PlanDocument): string[] {
  if (!Array.isArray(steps)) return [];
  return steps.flatMap((step: unknown) => {
    const id = typeof step === 'object' && step !== null && 'id' in step ? step.id : undefined;
    return typeof id === 'string' ? [id] : [];
  });
}
