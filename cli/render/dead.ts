import type { DeadLetter } from '../../shared/wire/dead.ts';
import { table } from './table.ts';
import { fit, plain } from './text.ts';
import type { Theme } from './theme.ts';

/** A dead letter with what its subject says; null where that names nobody, or no plan. */
export interface ListedLetter extends Omit<DeadLetter, 'plan_id'> {
  readonly stored_at: string;
  readonly principal: string | null;
  readonly plan_id: string | null;
}

const COLUMNS = [
  { title: 'when (UTC)' },
  { title: 'stream' },
  { title: 'principal' },
  { title: 'plan' },
  { title: 'code' },
];

const when = (ts: string): string => ts.slice(5, 19).replace('T', ' ');

/** A line a letter with its reason below, of at most 80 columns. */
export function deadLines(letters: readonly ListedLetter[], theme: Theme): string[] {
  if (letters.length === 0) return ['Nothing was refused.'];
  const rows = letters.map(({ stored_at: at, stream, principal, plan_id: plan, fault }) => [
    when(at),
    fit(plain(stream), 8),
    fit(principal ?? '', 12),
    fit(plan ?? '', 16),
    { text: fit(plain(fault.code), 20), paint: theme.bad },
  ]);
  const [head = '', ...lines] = table(COLUMNS, rows, theme);
  return [
    head,
    ...lines.flatMap((line, index) => [line, theme.dim(`    ${fit(plain(letters[index]?.fault.message ?? ''), 76)}`)]),
  ];
}
