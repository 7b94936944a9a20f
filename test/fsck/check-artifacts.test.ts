import * as assert from 'uvu/assert';
import { checkArtifacts } from '../../shared/fsck/check-artifacts.ts';
import { Findings } from '../../shared/fsck/finding.ts';
import { cidOf } from '../../shared/hash/cid.ts';
import type { ArtifactStore } from '../../shared/world/artifact-store.ts';
import { suite } from '../harness/suite.ts';

const test = suite('artifacts that are named and not shown yet');

/** Looked at so often, by path; what is late is there at the second look. */
async function looksAt(planId: string) {
  const looks = new Map<string, number>();
  const stat = async (path: string) => {
    looks.set(path, (looks.get(path) ?? 0) + 1);
    if (path.endsWith('never') || (path.endsWith('late') && looks.get(path) === 1)) return undefined;
    return { path, cid: cidOf('x'), sha256: 'ab'.repeat(32), size: 1, contentType: 'text/plain' };
  };
  const findings = new Findings();
  const artifacts = ['there', 'late', 'never'].map((name) => ({
    ...{ path: `/artifacts/outputs/${planId}/${name}`, cid: cidOf('x'), planId, seq: 1 },
  }));
  const checked = await checkArtifacts(artifacts, {
    ...{ store: { stat } as unknown as ArtifactStore, hash: 'none', findings, onProgress: () => undefined },
    isOpen: (id) => id === 'open',
  });
  const missing = findings.kept.map(({ place }) => place.split('/').at(-1));
  return { looks: [...looks.values()], missing: missing.sort(), checked };
}

test('of an open plan are looked at again before they are missing; of one that has ended they are', async () => {
  assert.equal(await looksAt('open'), { looks: [1, 2, 2], missing: ['never'], checked: 3 });
  assert.equal(await looksAt('ended'), { looks: [1, 1, 1], missing: ['late', 'never'], checked: 3 });
});

test.run();
