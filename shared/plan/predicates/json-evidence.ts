import { jsonDepth } from '../../schema/json-depth.ts';
import { endOfJson } from '../../schema/json-place.ts';
import type { Evidence, EvidenceRead, PredicateResult } from './predicate.ts';

/** Predicates look at small summaries; a larger document belongs into a processor. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;

/** Deeper than any summary, and far from what the stack of a judge can bear. */
const MAX_DEPTH = 500;

export const jsonRead = (path: string): readonly EvidenceRead[] => [{ kind: 'artifact', path, bytes: true }];

/** Hands the JSON at `path` to `check`, or says why there is none. */
export function withJson(
  evidence: Evidence,
  path: string,
  check: (value: unknown) => PredicateResult,
): PredicateResult {
  const artifact = evidence.artifact(path);
  if (artifact?.bytes === undefined) return { ok: false, found: `nothing at ${path}` };
  if (artifact.size > MAX_JSON_BYTES) return { ok: false, found: `${artifact.size} bytes: too large to judge` };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(artifact.bytes);
  } catch {
    return { ok: false, found: `${path} is no JSON: it is not UTF-8` };
  }
  if (jsonDepth(text) > MAX_DEPTH) {
    return { ok: false, found: `too costly to judge: more than ${MAX_DEPTH} levels in each other` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What a parser says quotes the text, and what was found stays in the ledger for ever.
    return { ok: false, found: `${path} is no JSON from character ${endOfJson(text) + 1} on` };
  }
  return check(value);
}
