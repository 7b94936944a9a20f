import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** All that its services are built from. */
const SOURCES = ['bin', 'cli', 'services', 'shared', 'stack', 'package.json'];

interface Patch {
  readonly file: string;
  /** Occurs exactly once. */
  readonly anchor: string;
  /** Stands before or behind the anchor. */
  readonly before?: string;
  readonly behind?: string;
}

/** What the made-up version adds: the kind `plan.reviewed`, by its settler at the end of every plan. */
const NEW_KIND: readonly Patch[] = [
  {
    file: 'shared/ledger/events.ts',
    anchor: `  'lease.declared': record({`,
    before: `  'plan.reviewed': record({ steps: Count }),\n`,
  },
  {
    file: 'shared/ledger/legal.ts',
    anchor: `  'lease.declared': {`,
    before: `  'plan.reviewed': { by: ['settler'], in: RUNNING, rules: [plan.nothingHeld] },\n`,
  },
  { file: 'shared/ledger/state.ts', anchor: `    case 'lease.declared':\n`, before: `    case 'plan.reviewed':\n` },
  {
    file: 'services/settler/decide.ts',
    anchor: '  return ending(drafts,',
    before: `  drafts.push({ kind: 'plan.reviewed', data: { steps: plan.steps.length } });\n`,
  },
];

/** And version 3 of `execution.scheduled`, by its dispatcher for every step. */
const NEW_VERSION: readonly Patch[] = [
  { file: 'shared/ledger/events.ts', anchor: '    not_before: Timestamp,\n', behind: '    priority: Count,\n' },
  {
    file: 'shared/ledger/versions.ts',
    anchor: `        adapter: AdapterV1,
        not_before: Timestamp,
      }),
      (data) => data,
    ),
`,
    behind: `    before(
      'execution.scheduled',
      record({
        execution_id: ExecutionId,
        step_id: Type.String({ pattern: STEP_ID.source }),
        attempt: Type.Integer({ minimum: 1 }),
        processor: Token,
        adapter: AdapterSchema,
        not_before: Timestamp,
      }),
      (data) => ({ ...data, priority: 0 }),
    ),
`,
  },
  {
    file: 'shared/ledger/versions.ts',
    anchor: `import { STEP_ID } from '../ids/ids.ts';\n`,
    before: `import { AdapterSchema } from '../ids/adapter.ts';\n`,
  },
  {
    file: 'services/dispatcher/decide.ts',
    anchor: '      not_before: new Date(notBeforeMs).toISOString(),\n',
    behind: '        priority: 1,\n',
  },
];

async function apply(root: string, { file, anchor, before = '', behind = '' }: Patch): Promise<void> {
  const place = path.join(root, file);
  const parts = (await readFile(place, 'utf8')).split(anchor);
  if (parts.length !== 2) {
    throw new Error(`${file} has ${parts.length - 1} times, not once: ${anchor}; mend the patch in next-version.ts`);
  }
  await writeFile(place, parts.join(before + anchor + behind));
}

export interface NextVersion {
  /** Its sources, from which `bin/run.mjs` and `bin/isomorph.mjs` run. */
  readonly root: string;
  remove(): Promise<void>;
}

/** The sources of this version, changed to those of one that is to come, in a folder of their own. */
export async function makeNextVersion(): Promise<NextVersion> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'isomorph-next-'));
  await Promise.all(SOURCES.map((name) => cp(path.join(PROJECT, name), path.join(root, name), { recursive: true })));
  await symlink(path.join(PROJECT, 'node_modules'), path.join(root, 'node_modules'));
  for (const patch of [...NEW_KIND, ...NEW_VERSION]) await apply(root, patch);
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
}
