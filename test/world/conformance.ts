/**
 * What every ArtifactStore driver must do. A driver's own test hands over how to make a store and what it can;
 * `file.test.ts` shows it.
 */
import type { StoreCapabilities } from '../../shared/world/artifact-store.ts';
import type { Available } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { objectCases } from './conformance-objects.ts';
import { uploadCases } from './conformance-uploads.ts';
import { urlCases } from './conformance-urls.ts';
import type { MakeStore } from './store-under-test.ts';

/** What a driver's test says beside how to make a store. */
export interface ConformanceOptions {
  /** The server that all stores of this suite are made on. */
  readonly server?: {
    readonly available: Available;
    start(): Promise<void>;
    stop(): Promise<void>;
  };
  /** Cases that this backend is known to fail, and why: they are left out. */
  readonly lacks?: Readonly<Record<string, string>>;
}

export function artifactStoreConformance(
  name: string,
  makeStore: MakeStore,
  capabilities: StoreCapabilities,
  { server, lacks = {} }: ConformanceOptions = {},
): void {
  const test = suite(`artifact store: ${name}`);
  if (server !== undefined) {
    const { available } = server;
    test.skipUnless(available.ok, available.ok ? '' : available.reason);
    test.before(() => server.start());
    test.after(() => server.stop());
  }
  const cases = [...objectCases(capabilities), ...uploadCases(capabilities), ...urlCases(capabilities)];
  const titles = new Set(cases.map(([title]) => title));
  for (const title of Object.keys(lacks)) if (!titles.has(title)) throw new Error(`there is no case "${title}"`);
  for (const [title, run] of cases) {
    if (Object.hasOwn(lacks, title)) continue;
    test(title, async () => {
      const subject = await makeStore();
      try {
        await run(subject);
      } finally {
        await subject.dispose();
      }
    });
  }
  test.run();
}
