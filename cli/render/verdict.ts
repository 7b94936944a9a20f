import type { Finding, PlanVerdict, Verdict } from '../../shared/ledger/verify.ts';
import { plural } from '../../shared/text/plural.ts';
import { plain, wrap } from './text.ts';
import { GLYPH, type Theme } from './theme.ts';

/** Plans told one by one; of more only the count. */
const NAMED_PLANS = 20;
const SHOWN_FINDINGS = 50;

export function findingLines({ place, planId, seq, code, message, expected }: Finding, theme: Theme): string[] {
  const who = [planId, seq === undefined ? undefined : `seq ${seq}`].filter((part) => part !== undefined).join(' ');
  const width = theme.columns - 6;
  return [
    `  ${theme.bad(GLYPH.bad)} ${theme.bold(place)}${who === '' ? '' : ` (${who})`}`,
    ...wrap(`${code} ${plain(message)}`, width).map((line) => `    ${line}`),
    ...(expected === undefined
      ? []
      : wrap(`expected ${plain(expected)}`, width).map((line) => theme.dim(`    ${line}`))),
  ];
}

/** What a reader of this version cannot say of a plan; empty for one that it knows to its end. */
function standingLines({ planId, standing }: PlanVerdict, theme: Theme): string[] {
  if (standing.kind !== 'newer') return [];
  const { seq, why } = standing;
  const text = `${planId} is intact and newer than this version from seq ${seq} on, where ${why}: what follows was checked for its form, hashes and links only`;
  return wrap(plain(text), theme.columns - 6).map((line, index) =>
    index === 0 ? `  ${theme.warn(GLYPH.warn)} ${line}` : `    ${line}`,
  );
}

function planLine({ planId, events, headHash, complete, phase }: PlanVerdict, theme: Theme): string[] {
  const state = complete ? '' : `, still ${phase}`;
  return [`  ${planId}: ${plural(events, 'event')}${state}`, theme.dim(`    head ${headHash}`)];
}

/** What a verification found. Pure. */
export function verdictLines(verdict: Verdict, theme: Theme): string[] {
  const { events, plans, findings, notChecked } = verdict;
  const what = `${plural(events, 'event')} of ${plural(plans.length, 'plan')}`;
  const good = findings.length === 0;
  const isNewer = plans.some(({ standing }) => standing.kind === 'newer');
  const right = isNewer
    ? 'every hash and link is right, and every transition before what is newer'
    : 'every hash, link and transition is right';
  const first = good
    ? `${theme.good(GLYPH.good)} verified: ${what}; ${right}`
    : `${theme.bad(GLYPH.bad)} not verified: ${plural(findings.length, 'finding')} in ${what}`;
  const shown = plans.length <= NAMED_PLANS ? plans.flatMap((plan) => planLine(plan, theme)) : [];
  const more = findings.length - SHOWN_FINDINGS;
  return [
    first,
    ...findings.slice(0, SHOWN_FINDINGS).flatMap((one) => findingLines(one, theme)),
    ...(more > 0 ? [`  and ${plural(more, 'more finding')}: --json has all`] : []),
    ...plans.flatMap((plan) => standingLines(plan, theme)).slice(0, SHOWN_FINDINGS),
    ...(good ? shown : []),
    ...(notChecked.length > 0 ? [theme.dim(`  not checked: ${plain(notChecked.join('; '))}`)] : []),
  ];
}

/** The same for programs. */
export const verdictDocument = ({ events, plans, findings, notChecked }: Verdict): unknown => ({
  ok: findings.length === 0,
  events,
  plans: plans.map(({ planId, events: count, headHash, phase, complete, standing }) => ({
    plan_id: planId,
    events: count,
    head_hash: headHash,
    phase,
    complete,
    standing: standing.kind,
    ...(standing.kind === 'known' ? {} : { standing_seq: standing.seq }),
  })),
  findings: findings.map(({ place, planId, seq, code, message, expected }) => ({
    place,
    plan_id: planId,
    seq,
    code,
    message,
    expected,
  })),
  not_checked: notChecked,
});
