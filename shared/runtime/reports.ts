import { validator } from '../schema/validate.ts';
import { type Report, ReportSchema } from './contract.ts';

const validate = validator(ReportSchema, 'ERR_SCHEMA');

/** Longer lines are log whatever they start with. */
const MAX_REPORT_CHARACTERS = 16 * 1024;

/** Whether a line is worth being read as a report: nothing is parsed. */
export const mayBeReport = (line: string): boolean =>
  line.startsWith('{') && line.length <= MAX_REPORT_CHARACTERS && line.includes('"isomorph"');

/** A line of standard output as a report, or undefined when it is log. */
export function parseReport(line: string): Report | undefined {
  if (!mayBeReport(line)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // A line that only looks like a report is log, as the contract says.
    return undefined;
  }
  const result = validate(value);
  return result.ok ? result.value : undefined;
}

/** The last error report of a log. */
export function lastError(log: string): Extract<Report, { isomorph: 'error' }> | undefined {
  for (const line of log.split('\n').reverse()) {
    const report = parseReport(line);
    if (report?.isomorph === 'error') return report;
  }
  return undefined;
}
