import type { FsckFinding, FsckReport } from '../../shared/fsck/fsck.ts';
import { plural } from '../../shared/text/plural.ts';
import { plain, wrap } from './text.ts';
import { GLYPH, type Theme } from './theme.ts';

const SHOWN_FINDINGS = 50;

function findingLines({ where, place, code, message, expected, found }: FsckFinding, theme: Theme): string[] {
  const width = theme.columns - 6;
  const detail = [
    ...(expected === undefined ? [] : [`expected ${plain(expected)}`]),
    ...(found === undefined ? [] : [`found    ${plain(found)}`]),
  ];
  return [
    ...wrap(`${where}: ${plain(place)}`, width).map((line, index) =>
      index === 0 ? `  ${theme.bad(GLYPH.bad)} ${theme.bold(line)}` : `    ${theme.bold(line)}`,
    ),
    ...wrap(`${code} ${plain(message)}`, width).map((line) => `    ${line}`),
    ...detail.flatMap((text) => wrap(text, width)).map((line) => theme.dim(`    ${line}`)),
  ];
}

function postgresText(report: FsckReport): string {
  if (report.postgres === undefined) return 'not compared: no projection was found';
  const { rows, lag } = report.postgres;
  return `${plural(rows, 'row')}${lag === 0 ? '' : `; ${plural(lag, 'commit')} not projected yet`}`;
}

/** What was compared and what differs. Pure. */
export function fsckLines(report: FsckReport, theme: Theme): string[] {
  const { ledger, artifacts, findings, findings_omitted: omitted } = report;
  const bad = new Set(findings.map(({ where }) => where));
  const line = (where: FsckFinding['where'], text: string): string => {
    const glyph = bad.has(where) ? theme.bad(GLYPH.bad) : theme.good(GLYPH.good);
    return `${glyph} ${where.padEnd(10)} ${text}`;
  };
  const hashed = artifacts.hash === 'all' ? 'every byte hashed' : 'as the store recorded them';
  const hidden = Math.max(0, findings.length - SHOWN_FINDINGS) + omitted;
  return [
    line('ledger', `${plural(ledger.events, 'event')} of ${plural(ledger.plans.length, 'plan')}`),
    report.postgres === undefined
      ? `${theme.warn(GLYPH.warn)} ${'postgres'.padEnd(10)} ${postgresText(report)}`
      : line('postgres', postgresText(report)),
    line('artifacts', `${plural(artifacts.checked, 'artifact')}, ${hashed}`),
    ...(findings.length === 0 ? [] : ['', theme.bold(plural(findings.length + omitted, 'finding'))]),
    ...findings.slice(0, SHOWN_FINDINGS).flatMap((finding) => findingLines(finding, theme)),
    ...(hidden > 0 ? [theme.dim(`  and ${hidden} more`)] : []),
  ];
}

/** The same for programs. */
export const fsckDocument = ({ ok, findings, findings_omitted, ledger, postgres, artifacts }: FsckReport): unknown => ({
  ok,
  ledger: { messages: ledger.messages, events: ledger.events, plans: ledger.plans.length },
  postgres: postgres ?? null,
  artifacts,
  findings: findings.map(({ planId, ...finding }) => ({ ...finding, plan_id: planId })),
  findings_omitted,
});
