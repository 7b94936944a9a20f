import path from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { LIMITS, type LimitKey } from '../../services/common/config/limits.ts';
import { changeLimit } from '../../services/common/limits-in-force.ts';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import type { Context } from '../context.ts';
import { amountOf, type LimitRow, limitRows, stateOf } from '../limit-rows.ts';
import { homeOf } from '../place.ts';
import { table } from '../render/table.ts';

const COLUMNS = [
  { title: 'limit' },
  { title: 'at most', align: 'right' },
  { title: 'used', align: 'right' },
  { title: 'by' },
  { title: '' },
] as const;

/** `isomorph limits list`: every limit as it holds, and how much of it is used. */
export async function listLimits(context: Context): Promise<number> {
  const { out, terminal } = context;
  const rows = await limitRows(await context.connection('service'), terminal.env);
  const { theme } = out;
  const paint = (row: LimitRow) => ({ free: String, near: theme.warn, hit: theme.bad })[stateOf(row)];
  const cells = rows.map((row) => [
    row.name,
    amountOf(row.unit, row.most),
    { text: row.used === undefined ? '' : amountOf(row.unit, row.used), paint: paint(row) },
    row.by ?? '',
    { text: row.set ? 'set by command' : '', paint: theme.dim },
  ]);
  out.lines(...table(COLUMNS, cells, theme));
  out.document(rows);
  return 0;
}

/** @throws ERR_USAGE */
function keyOf(name: string): LimitKey {
  const found = Object.entries(LIMITS).find(([, limit]) => limit.name === name.toUpperCase());
  if (found === undefined) {
    throw new IsomorphError('ERR_USAGE', `there is no limit ${name}`, { expected: 'one of `isomorph limits list`' });
  }
  return found[0] as LimitKey;
}

/** Bytes free on the disk of the streams; undefined where it is another machine's. */
async function freeBytes({ place, terminal }: Context): Promise<number | undefined> {
  if (place.source === 'environment') return undefined;
  const { freeBytesOn } = await import('../../stack/files.ts');
  return freeBytesOn(path.join(homeOf(terminal), 'nats'));
}

async function change(context: Context, key: LimitKey, value: number | undefined): Promise<number> {
  const connection: NatsConnection = await context.connection('admin');
  const jsm = await jetstreamManager(connection, { checkAPI: false });
  const effect = await changeLimit(jsm, { key, value, freeBytes: await freeBytes(context) });
  const { name, unit } = LIMITS[key];
  const now = value === undefined ? 'is as configured again' : `is ${amountOf(unit, value)}`;
  const when = { now: 'it holds from now on', 'next start': 'it holds from the next start of setup and services on' };
  context.out.lines(`${name} ${now}: ${when[effect]}`);
  context.out.document({ name, value: value ?? null, holds_from: effect });
  return 0;
}

/** `isomorph limits set`. @throws ERR_USAGE; ERR_NO_ROOM for one that does not fit the disk; ERR_UNAVAILABLE when these credentials may not */
export function setLimit(context: Context, name: string, text: string): Promise<number> {
  const key = keyOf(name);
  const { parse, expected } = LIMITS[key];
  const value = parse(text);
  if (value === undefined) throw new IsomorphError('ERR_USAGE', `${text} is no value of ${name}`, { expected });
  return change(context, key, value);
}

/** `isomorph limits unset`: back to what the configuration says. */
export const unsetLimit = (context: Context, name: string): Promise<number> => change(context, keyOf(name), undefined);
