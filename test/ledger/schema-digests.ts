import { canonicalText } from '../../shared/hash/canonical.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import { EVENT_KINDS } from '../../shared/ledger/events.ts';
import { schemasOf } from '../../shared/ledger/versions.ts';

/** By kind, the digest of each version's schema, version 1 first. */
export type Digests = Readonly<Record<string, readonly string[]>>;

const digestOf = (schema: unknown): string => cidOf(canonicalText(JSON.parse(JSON.stringify(schema))));

export const digestsNow = (): Digests =>
  Object.fromEntries([...EVENT_KINDS].sort().map((kind) => [kind, schemasOf(kind).map(digestOf)]));
