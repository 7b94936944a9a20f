/** What the table of what is legal says of golden histories with one step changed: a picture of it that no renaming alters. */
import { readdir, readFile } from 'node:fs/promises';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { decodeLine } from '../../shared/ledger/envelope.ts';
import { LEDGER_WRITERS, type LedgerEvent } from '../../shared/ledger/events.ts';
import { Fold } from '../../shared/ledger/evolve.ts';
import { understood } from '../../shared/ledger/meaning.ts';
import { emptyState } from '../../shared/ledger/state.ts';
import { CHANGES, chained, type Deed, deedsOf } from './histories.ts';

/** The golden ledgers of a folder, by name. */
export async function goldenEvents(folder: URL): Promise<[name: string, events: LedgerEvent[]][]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ndjson')).sort();
  return Promise.all(
    files.map(async (file): Promise<[string, LedgerEvent[]]> => {
      const lines = (await readFile(new URL(file, folder), 'utf8')).trimEnd().split('\n');
      return [file.slice(0, -'.ndjson'.length), lines.map((line) => understood(decodeLine(line)))];
    }),
  );
}

/** How far a history is legal: the seq of the first step that is not, 0 where all are. */
function brokenAt(planId: string, deeds: readonly Deed[]): number {
  const fold = new Fold(emptyState(planId));
  for (const event of chained(planId, deeds)) {
    try {
      fold.apply(event);
    } catch (error) {
      if (error instanceof IsomorphError && error.code === 'ERR_COMMIT_INVALID') return event.seq;
      throw error;
    }
  }
  return 0;
}

/** Values that a rule refuses wherever they stand, or next to none. */
const LEAST: Readonly<Record<string, readonly unknown[]>> = {
  steps: [0, 1],
  predicates: [0, 1],
  attempt: [1, 9],
  path: ['/artifacts/a//b', '/artifacts/x'],
  command_seq: [7],
  usd_micro: [0, 1],
};

/** Each change of the step at `place`, by its name. */
function changesOf(deeds: readonly Deed[], place: number): [name: string, deeds: readonly Deed[]][] {
  const deed = deeds[place] as Deed;
  const [before, after] = [deeds.slice(0, place), deeds.slice(place + 1)];
  const others = LEDGER_WRITERS.filter((writer) => writer !== deed.by);
  const fields = Object.entries(CHANGES).filter(([field]) => Object.hasOwn(deed.draft.data, field));
  const withField = (field: string, value: unknown): Deed =>
    ({ ...deed, draft: { kind: deed.draft.kind, data: { ...deed.draft.data, [field]: value } } }) as Deed;
  return [
    ['dropped', [...before, ...after]],
    ['twice', [...before, deed, deed, ...after]],
    ['earlier', [...before.slice(0, -1), deed, ...before.slice(-1), ...after]],
    ['last', [...before, ...after, deed]],
    ['again', [...deeds.slice(0, -1), deed, ...deeds.slice(-1)]],
    ...others.map((by): [string, Deed[]] => [by, [...before, { ...deed, by }, ...after]]),
    ...Object.entries(LEAST).flatMap(([field, values]) =>
      !Object.hasOwn(deed.draft.data, field)
        ? []
        : values.map((value): [string, Deed[]] => [
            `${field}=${value}`,
            [...before, withField(field, value), ...after],
          ]),
    ),
    ...fields.flatMap(([field, change]) =>
      [0, 1, 2].map((n): [string, Deed[]] => {
        const value = change((deed.draft.data as Record<string, unknown>)[field] as never, n);
        return [field, [...before, withField(field, value), ...after]];
      }),
    ),
  ];
}

/** One line an event: its seq and kind, then each change with the seq at which it is found, 0 where it is not. */
export const verdictsOf = (planId: string, events: readonly LedgerEvent[]): string[] => {
  const deeds = deedsOf(events);
  return deeds.map(({ draft }, place) => {
    const said = changesOf(deeds, place).map(([name, changed]) => `${name} ${brokenAt(planId, changed)}`);
    return `${place + 1} ${draft.kind}: ${[...new Set(said)].join(', ')}`;
  });
};
