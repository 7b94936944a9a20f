/**
 * Selectors name sets of WorldPaths: one exact path, all under a prefix, or a glob of a policy. `*` stands for any run
 * of characters inside one segment; `**` is allowed as the last segment and stands for one or more segments. Matching
 * takes linear time and builds no regular expression from input.
 */
import { IsomorphError, unreachable } from '../errors/isomorph-error.ts';
import { quoted, SELECTOR_CHARACTERS } from './characters.ts';
import { isPlanId } from './ids.ts';
import { canonicalPathText, checkFacet, checkSegments, pathKind } from './world-path.ts';

/** One segment of a glob: it matches what starts with `head`, ends in `tail`, and overlaps neither. */
interface SegmentPattern {
  readonly head: string;
  /** Undefined: the segment is `head` itself. */
  readonly tail: string | undefined;
}

export type Selector =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string }
  | {
      readonly kind: 'glob';
      readonly text: string;
      readonly segments: readonly SegmentPattern[];
      /** The glob ends in `**`. */
      readonly deep: boolean;
    };

const PLAN_ID_PLACEHOLDER = '{plan_id}';

function refuse(text: string, what: string): never {
  throw new IsomorphError('ERR_CHARACTER', `selector ${quoted(text)}: ${what}`, {
    expected: 'an exact path, a prefix ending in /, or a glob with one * a segment and ** as its last segment',
  });
}

function substitutePlanId(text: string, planId: string | undefined): string {
  if (!text.includes('{') && !text.includes('}')) return text;
  if (planId !== undefined && !isPlanId(planId)) {
    throw new IsomorphError('ERR_PLAN_ID', `${quoted(planId)} is no plan_id`, { expected: '[a-z0-9][a-z0-9_-]{0,62}' });
  }
  const substituted = planId === undefined ? text : text.replaceAll(PLAN_ID_PLACEHOLDER, planId);
  if (/[{}]/.test(substituted)) {
    refuse(text, planId === undefined ? 'a placeholder without its value' : `only ${PLAN_ID_PLACEHOLDER} is known`);
  }
  return substituted;
}

function parseSegment(segment: string, text: string): SegmentPattern {
  const star = segment.indexOf('*');
  if (star < 0) return { head: segment, tail: undefined };
  const tail = segment.slice(star + 1);
  // One star a segment keeps matching linear; two would need backtracking.
  if (tail.includes('*')) refuse(text, 'more than one * in a segment, or ** before the end');
  return { head: segment.slice(0, star), tail };
}

/**
 * @param values what placeholders of policy selectors stand for
 * @throws IsomorphError the codes of `canonicalWorldPath`; ERR_CHARACTER for a malformed glob or placeholder;
 * ERR_PLAN_ID for a malformed plan_id
 */
export function parseSelector(input: string, values: { readonly plan_id?: string } = {}): Selector {
  const text = substitutePlanId(canonicalPathText(input, SELECTOR_CHARACTERS), values.plan_id);
  checkSegments(text);
  checkFacet(text);
  if (!text.includes('*')) return { kind: pathKind(text), text };
  const segments = text.slice(1).split('/');
  const last = segments.at(-1);
  // `/artifacts/*/` is a prefix whose name varies: everything under it, as with `**`.
  const deep = last === '**' || last === '';
  if (deep) segments.pop();
  return { kind: 'glob', text, deep, segments: segments.map((segment) => parseSegment(segment, text)) };
}

const segmentMatches = ({ head, tail }: SegmentPattern, segment: string): boolean =>
  tail === undefined
    ? segment === head
    : segment.length >= head.length + tail.length && segment.startsWith(head) && segment.endsWith(tail);

/** Whether a selector selects an exact canonical path. A prefix is no path: it is never selected. */
export function selectorMatches(selector: Selector, path: string): boolean {
  if (pathKind(path) === 'prefix') return false;
  switch (selector.kind) {
    case 'exact':
      return path === selector.text;
    case 'prefix':
      return path.startsWith(selector.text);
    case 'glob': {
      const { segments, deep } = selector;
      const given = path.slice(1).split('/');
      if (deep ? given.length <= segments.length : given.length !== segments.length) return false;
      return segments.every((pattern, index) => segmentMatches(pattern, given[index] ?? ''));
    }
    default:
      return unreachable(selector);
  }
}

/**
 * Whether a selector selects every path that can exist under a prefix; for an exact path, whether it selects that path.
 * @param prefixOrPath canonical
 */
export function selectorCovers(selector: Selector, prefixOrPath: string): boolean {
  if (pathKind(prefixOrPath) === 'exact') return selectorMatches(selector, prefixOrPath);
  switch (selector.kind) {
    case 'exact':
      return false;
    case 'prefix':
      return prefixOrPath.startsWith(selector.text);
    case 'glob': {
      // Under a prefix there are paths of every depth, so only `**` can cover them, and only when every fixed segment
      // is already decided by the prefix itself.
      const { segments, deep } = selector;
      const given = prefixOrPath.slice(1, -1).split('/');
      if (!deep || given.length < segments.length) return false;
      return segments.every((pattern, index) => segmentMatches(pattern, given[index] ?? ''));
    }
    default:
      return unreachable(selector);
  }
}
