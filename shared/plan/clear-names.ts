import type { AdmittedPlan } from './admitted.ts';

/** What the token of a job has room for: bytes of JSON. */
const MAX_BYTES = 4_096;

const bytesOf = (text: string): number => new TextEncoder().encode(`${JSON.stringify(text)},`).byteLength;

/** Every text in a JSON value, names of members included. */
function* textsIn(value: unknown): Generator<string> {
  const open = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'string') yield next;
    else if (typeof next === 'object' && next !== null) {
      if (!Array.isArray(next)) yield* Object.keys(next);
      open.push(...Object.values(next));
    }
  }
}

const byLength = (one: string, other: string): number =>
  one.length - other.length || (one < other ? -1 : Number(one > other));

/**
 * Keys and topics of scratch that audit facts may tell as they are. All, where no step is granted a secret: then no name
 * can hold one. Else those that stand literally in the params of a step or in a registry entry, where everybody reads
 * them: the shortest first, as far as there is room.
 */
export function clearNames({ steps, processors }: Pick<AdmittedPlan, 'steps' | 'processors'>): 'all' | string[] {
  const entries = Object.values(processors);
  if (entries.every(({ secrets }) => secrets.required.length === 0)) return 'all';
  const texts = [...new Set(textsIn([steps.map(({ params }) => params), entries]))].sort(byLength);
  let bytes = 0;
  const end = texts.findIndex((text) => {
    bytes += bytesOf(text);
    return bytes > MAX_BYTES;
  });
  return end < 0 ? texts : texts.slice(0, end);
}
