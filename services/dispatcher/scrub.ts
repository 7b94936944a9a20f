import { redact } from '../../shared/world/redact.ts';

/** Shorter values are too likely to be part of ordinary words. */
const MIN_SECRET_CHARACTERS = 4;

/** A log without what must not be stored: secret values and signed URLs. Longest first, since one may hold another. */
export function scrub(log: string, secrets: Readonly<Record<string, string>>): string {
  const values = Object.entries(secrets)
    .filter(([, value]) => value.length >= MIN_SECRET_CHARACTERS)
    .sort(([, a], [, b]) => b.length - a.length);
  let text = redact(log);
  for (const [name, value] of values) text = text.replaceAll(value, `[secret ${name}]`);
  return text;
}
