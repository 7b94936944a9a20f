import type { Msg } from '@nats-io/transport-node';
import type { RawEvent } from '../shared/ledger/envelope.ts';
import type { LedgerEvent } from '../shared/ledger/events.ts';
import { COMMANDS_STREAM } from '../shared/wire/commands.ts';
import { deadFilter, parseDeadFault } from '../shared/wire/dead.ts';
import { planOfSubject } from '../shared/wire/ledger.ts';
import { type Progress, parseProgress, planOfProgress, progressSubject } from '../shared/wire/progress.ts';
import type { Context } from './context.ts';
import { tailLedger } from './ledger-source.ts';
import { Mailbox } from './mailbox.ts';
import type { ShownFault } from './render/error.ts';

export type FollowItem =
  | {
      readonly kind: 'commit';
      /** Those that this version knows and that are legal, and the rest. */
      readonly events: readonly LedgerEvent[];
      readonly unknown: readonly RawEvent[];
    }
  /** A message in the ledger that is none of the chain of its plan. */
  | { readonly kind: 'foreign'; readonly seq: number; readonly reason: string }
  | { readonly kind: 'progress'; readonly planId: string; readonly progress: Progress }
  /** A command of this plan that was refused. */
  | {
      readonly kind: 'refused';
      readonly fault: ShownFault;
      /** Its sequence in COMMANDS; undefined where its letter does not say. */
      readonly commandSeq?: number | undefined;
    };

export interface FollowOptions {
  /** Undefined: every plan. */
  readonly planId: string | undefined;
  /** Whose refusals are heard; undefined: those of everybody, which an auditor may. */
  readonly principal: string | undefined;
  /** First sequence of the ledger stream to show. */
  readonly fromSeq: number;
  readonly signal: AbortSignal;
  readonly progress: boolean;
}

/** Live subjects are open to their account: what is not what it should be is left out. */
function bodyOf(message: Msg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}

/** Everything that happens to one plan or to all: commits in order, refusals, live progress. Subscribed on return. */
export async function follow(context: Context, options: FollowOptions): Promise<Mailbox<FollowItem>> {
  const { planId, fromSeq, signal } = options;
  const mailbox = new Mailbox<FollowItem>();
  const auditor = await context.connection('auditor');
  auditor.subscribe(deadFilter(COMMANDS_STREAM, options.principal, planId), {
    callback: (error, message) => {
      const letter = error === null ? parseDeadFault(bodyOf(message)) : undefined;
      if (letter?.ok !== true) return;
      const { fault, seq: commandSeq } = letter.value;
      mailbox.put({ kind: 'refused', fault, commandSeq });
    },
  });
  if (options.progress) {
    auditor.subscribe(progressSubject(planId), {
      // A user who may not see live data gets an error here, and the ledger all the same.
      callback: (error, message) => {
        const parsed = error === null ? parseProgress(bodyOf(message)) : undefined;
        const plan = error === null ? planOfProgress(message.subject) : undefined;
        if (parsed?.ok === true && plan !== undefined) {
          mailbox.put({ kind: 'progress', planId: plan, progress: parsed.value });
        }
      },
    });
  }
  await auditor.flush();
  const pump = async (): Promise<void> => {
    for await (const one of tailLedger(auditor, planId, fromSeq, signal)) {
      if (one.kind === 'commit') {
        const known = new Set(one.events.map(({ seq }) => seq));
        const unknown = one.raws.filter(({ seq }) => !known.has(seq));
        mailbox.put({ kind: 'commit', events: one.events, unknown });
      } else mailbox.put({ kind: 'foreign', seq: one.message.seq, reason: reasonOf(one.message.subject, one.error) });
    }
  };
  pump().then(
    () => mailbox.end(),
    (error: unknown) => mailbox.end(error),
  );
  return mailbox;
}

const reasonOf = (subject: string, error: Error): string =>
  `${planOfSubject(subject) === undefined ? subject : `plan ${planOfSubject(subject)}`}: ${error.message}`;
