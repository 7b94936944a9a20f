import { type Checkup, ok, warn } from './checkup.ts';
import { duration } from './render/text.ts';
import type { Undocumented, Unfollowed } from './unfollowed.ts';

const NO_WAY_BACK = 'what a version has written, none before it can follow: there is no way back';

/** Plans of one standing that are named. */
const NAMED_PLANS = 5;

/** Pure. */
function unfollowedText(plans: readonly Unfollowed[], standing: Unfollowed['standing'], nowMs: number): string[] {
  const those = plans.filter((plan) => plan.standing === standing);
  if (those.length === 0) return [];
  const named = those.slice(0, NAMED_PLANS).map(({ planId, seq, reason, sinceMs }) => {
    const age = sinceMs === undefined ? '' : ` for ${duration(Math.max(0, nowMs - sinceMs))}`;
    return `${planId} from seq ${seq} on${age} (${reason})`;
  });
  const more = those.length - named.length;
  return [`${standing}: ${named.join(', ')}${more === 0 ? '' : `, and ${more} more`}`];
}

/** Pure. */
function undocumentedText(plans: readonly Undocumented[]): string[] {
  if (plans.length === 0) return [];
  const named = plans.slice(0, NAMED_PLANS).map(({ planId, fault }) => `${planId} (${fault})`);
  const more = plans.length - named.length;
  return [`projected without their steps: ${named.join(', ')}${more === 0 ? '' : `, and ${more} more`}`];
}

/** Plans that this version cannot follow to their end, or whose documents cannot be read, the oldest first. Pure. */
export function plansCheckup(
  plans: readonly Unfollowed[] | undefined,
  nowMs: number,
  undocumented: readonly Undocumented[] = [],
): Checkup {
  if (plans === undefined) return ok('plans', 'not looked at without a projection: `npx isomorph ledger verify` does');
  if (plans.length === 0 && undocumented.length === 0)
    return ok('plans', `all can be followed to their end; ${NO_WAY_BACK}`);
  const newer = unfollowedText(plans, 'newer', nowMs);
  const quarantined = unfollowedText(plans, 'quarantined', nowMs);
  const bare = undocumentedText(undocumented);
  const remedies = [
    ...(newer.length === 0
      ? []
      : ['Newer plans: start services of the version that wrote them, since there is no way back.']),
    ...(quarantined.length === 0
      ? []
      : ['Quarantined plans get no event any more: `npx isomorph ledger verify` says which rule is broken.']),
    ...(bare.length === 0
      ? []
      : ['Let the projector read their admitted documents: their steps appear by themselves.']),
  ];
  return warn('plans', [...newer, ...quarantined, ...bare].join('; '), remedies.join(' '));
}
