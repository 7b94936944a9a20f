import pLimit from 'p-limit';
import { delay } from '../async/delay.ts';
import { IsomorphError } from '../errors/isomorph-error.ts';
import type { Cid } from '../hash/cid.ts';
import type { ArtifactStore } from '../world/artifact-store.ts';
import { isAway } from '../world/away.ts';
import { hashBody } from '../world/content.ts';
import type { Findings } from './finding.ts';
import type { NamedArtifact } from './named-artifacts.ts';

const ARTIFACTS_AT_ONCE = 8;

/** `all` reads every byte; `none` believes what the store has recorded of it. */
export type HashMode = 'all' | 'none';

interface Content {
  readonly cid: Cid;
  readonly sha256: string;
  readonly size: number;
}

async function contentOf(store: ArtifactStore, path: string, hash: HashMode): Promise<Content | undefined> {
  if (hash === 'none') return store.stat(path);
  try {
    const { body } = await store.get({ worldPath: path });
    return await hashBody(body);
  } catch (error) {
    if (error instanceof IsomorphError && error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

interface ArtifactFault {
  readonly code: string;
  readonly message: string;
  readonly expected?: string;
  readonly found?: string;
}

/** What is wrong with what the store has at the path of an artifact. */
function judge(named: NamedArtifact, content: Content | undefined): ArtifactFault | undefined {
  if (content === undefined) {
    const message = named.isOwed
      ? 'the receipt is missing: the store did not take it before the plan had to end'
      : 'the artifact is missing';
    return { code: 'ERR_NOT_FOUND', message, expected: named.cid };
  }
  for (const field of ['cid', 'sha256', 'size'] as const) {
    const expected = named[field];
    if (expected === undefined || expected === content[field]) continue;
    return {
      code: 'ERR_CID_MISMATCH',
      message: `its ${field} is not the one that the ledger has`,
      expected: `${expected}`,
      found: `${content[field]}`,
    };
  }
  return undefined;
}

async function check(store: ArtifactStore, named: NamedArtifact, hash: HashMode): Promise<ArtifactFault | undefined> {
  try {
    return judge(named, await contentOf(store, named.path, hash));
  } catch (error) {
    // Whoever cannot ask cannot find; what a store says that answers others is said of this artifact.
    if (!(error instanceof IsomorphError) || (await isAway(store, error))) throw error;
    return {
      code: error.code,
      message: error.message,
      ...(error.place.expected ? { expected: error.place.expected } : {}),
    };
  }
}

/** What an open plan has just named may not be shown yet (docs/adr/0110): all that is missing is looked at again, once. */
const SHOWN_WITHIN_MS = 3_000;

export interface ArtifactCheckOptions {
  readonly store: ArtifactStore;
  /** Whether the plan has no end in what was read of the ledger. */
  readonly isOpen: (planId: string) => boolean;
  readonly hash: HashMode;
  readonly findings: Findings;
  onProgress(checked: number): void;
}

/**
 * Whether every artifact that the ledger names is in the World with that content. Live series are not: they do not last.
 * @returns how many were checked
 * @throws what the store says when it is away as a whole, such as ERR_UNAVAILABLE
 */
export async function checkArtifacts(
  artifacts: Iterable<NamedArtifact>,
  { store, isOpen, hash, findings, onProgress }: ArtifactCheckOptions,
): Promise<number> {
  const limit = pLimit(ARTIFACTS_AT_ONCE);
  const lasting = [...artifacts].filter(({ path }) => path.startsWith('/artifacts/'));
  let checked = 0;
  const tell = ({ planId, seq, path: place }: NamedArtifact, fault: ArtifactFault | undefined): void => {
    checked += 1;
    onProgress(checked);
    if (fault === undefined) return;
    const { code, message, expected, found } = fault;
    findings.add({ where: 'artifacts', place, planId, seq, code, message, expected, found, row: undefined });
  };
  const early: NamedArtifact[] = [];
  const look = async (named: NamedArtifact): Promise<void> => {
    const fault = await check(store, named, hash);
    if (fault?.code === 'ERR_NOT_FOUND' && isOpen(named.planId)) early.push(named);
    else tell(named, fault);
  };
  await Promise.all(lasting.map((named) => limit(() => look(named))));
  if (early.length === 0) return checked;
  await delay(SHOWN_WITHIN_MS);
  await Promise.all(early.map((named) => limit(async () => tell(named, await check(store, named, hash)))));
  return checked;
}
