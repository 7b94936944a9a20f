import type { NatsConnection } from '@nats-io/transport-node';
import { type Checkup, fail, ok, warn } from './checkup.ts';
import { amountOf, type LimitRow, limitRows, stateOf } from './limit-rows.ts';
import type { Terminal } from './terminal.ts';

const REMEDY = 'See `npx isomorph limits list`; raise one with `npx isomorph limits set <name> <value>`.';

const usedText = ({ name, unit, used = 0, most, by }: LimitRow): string =>
  `${name.replace('ISOMORPH_MAX_', '').toLowerCase()} ${amountOf(unit, used)} of ${amountOf(unit, most)}${by === undefined || used === 0 ? '' : ` (${by})`}`;

/** Use and limit of each; what is near its limit first. Pure. */
export function limitsVerdict(rows: readonly LimitRow[]): Checkup {
  const counted = rows.filter(({ used }) => used !== undefined);
  const those = (state: ReturnType<typeof stateOf>): string =>
    counted
      .filter((row) => stateOf(row) === state)
      .map(usedText)
      .join(', ');
  const [hit, near, free] = [those('hit'), those('near'), those('free')];
  const found = [...(hit === '' ? [] : [`hit: ${hit}`]), ...(near === '' ? [] : [`near: ${near}`]), free].join('; ');
  if (hit !== '') return fail('limits', found, REMEDY);
  return near === '' ? ok('limits', found) : warn('limits', found, REMEDY);
}

export async function limitsCheckup(connection: NatsConnection, env: Terminal['env']): Promise<Checkup> {
  let rows: LimitRow[];
  try {
    rows = await limitRows(connection, env);
  } catch {
    // Who may not ask is told by silence or by a refusal.
    return warn('limits', 'this user may not look', 'Set NATS_URL of a service.');
  }
  return limitsVerdict(rows);
}
