/** What a principal, and all together, may have under way: the rules. Pure. */
import { type Fault, fault } from '../../shared/errors/isomorph-error.ts';
import { formatAmount } from '../../shared/text/amount.ts';
import { LIMITS, type LimitKey, type Limits } from '../common/config/limits.ts';
import { KEPT_SHARE } from '../common/stream-limits.ts';
import type { Usage } from './usage.ts';

/** The ledger as its stream tells. */
export interface LedgerUse {
  readonly bytes: number;
  readonly limitBytes: number;
}

export interface Circumstances {
  readonly usage: Usage;
  readonly limits: Limits;
  readonly ledger: LedgerUse;
  readonly principal: string;
}

/** What all open plans may still write. */
export const inAll = ({ usage, principal }: Pick<Circumstances, 'usage' | 'principal'>): number =>
  usage.endBytes(principal).inAll;

/** How much of a limit is used. */
export interface Share {
  readonly limit: LimitKey;
  readonly used: number;
  readonly most: number;
  /** Undefined for a limit of all together. */
  readonly principal: string | undefined;
}

const shown = (limit: LimitKey, amount: number): string =>
  LIMITS[limit].unit === 'bytes' ? formatAmount(amount) : String(amount);

const whose = ({ principal }: Share): string => (principal === undefined ? 'all together' : principal);

function refusal(share: Share): Fault {
  const { limit, used, most } = share;
  const { name, meaning } = LIMITS[limit];
  return fault('ERR_LIMIT', `${name} is reached: ${shown(limit, used)} of ${whose(share)} (${meaning})`, {
    expected: `less than ${shown(limit, most)}`,
  });
}

/** However small a ledger is: what is kept for the plans of one is kept from everybody else. */
const MOST_OF_ONE = 1 / 4;

/** Open plans, what they may still write, and rejected bytes of a principal, and of all. */
export function sharesOf({ usage, limits, ledger, principal }: Circumstances): Share[] {
  const [plans, ends] = [usage.openPlans(principal), usage.endBytes(principal)];
  const rejected = usage.rejectedBytes(principal);
  const share = (limit: LimitKey, used: number, of: string | undefined, most = limits[limit]): Share => ({
    ...{ limit, used, most },
    principal: of,
  });
  const mostEnds = Math.min(limits.endBytesOfPrincipal, ledger.limitBytes * MOST_OF_ONE);
  return [
    share('openPlansOfPrincipal', plans.ofPrincipal, principal),
    share('openPlans', plans.inAll, undefined),
    share('endBytesOfPrincipal', ends.ofPrincipal, principal, mostEnds),
    share('rejectedBytesOfPrincipal', rejected.ofPrincipal, principal),
    share('rejectedBytes', rejected.inAll, undefined),
  ];
}

const PLANS: readonly LimitKey[] = ['openPlansOfPrincipal', 'openPlans', 'endBytesOfPrincipal'];
const REJECTED: readonly LimitKey[] = ['rejectedBytesOfPrincipal', 'rejectedBytes'];

const reached = (shares: readonly Share[], limits: readonly LimitKey[]): Fault | undefined => {
  const full = shares.find(({ limit, used, most }) => limits.includes(limit) && used >= most);
  return full === undefined ? undefined : refusal(full);
};

/** More than the share that is always kept where open plans may need more. */
export const keptBytes = ({ limitBytes }: LedgerUse, endBytes: number): number =>
  Math.max(limitBytes * KEPT_SHARE, endBytes);

function ledgerFull(ledger: LedgerUse, endBytes: number, plan: string): Fault | undefined {
  const { bytes, limitBytes } = ledger;
  const kept = keptBytes(ledger, endBytes);
  if (limitBytes - bytes > kept) return undefined;
  const told = `the ledger holds ${formatAmount(bytes)} of ${formatAmount(limitBytes)}, and keeps ${formatAmount(Math.ceil(kept))} for the ends of open plans`;
  return fault('ERR_LEDGER_FULL', `${told}: ${plan}`, { expected: 'a larger ISOMORPH_MAX_LEDGER_BYTES' });
}

/** Why no plan of the principal is taken now; undefined when one may be. @param endBytes what that plan may write to its end */
export const refusesPlan = (circumstances: Circumstances, endBytes = 0): Fault | undefined =>
  ledgerFull(circumstances.ledger, inAll(circumstances) + endBytes, 'no new plan is taken') ??
  reached(sharesOf(circumstances), PLANS);

/**
 * Why the rejection of a plan is not recorded, only told to its sender; undefined when it is recorded. The reason for which the
 * plan was rejected is told with it.
 */
export function refusesRejection(circumstances: Circumstances, first: Fault | undefined): Fault | undefined {
  const over = reached(sharesOf(circumstances), REJECTED);
  if (over === undefined) return undefined;
  const reason =
    first === undefined
      ? ''
      : `; rejected for ${first.code}${first.pointer ? ` at ${first.pointer}` : ''}: ${first.message}`;
  return { ...over, message: `${over.message}${reason}` };
}
