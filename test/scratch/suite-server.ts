/** Servers that a suite runs on: started before its first test, gone after its last. */
import type { Available, RunningServer } from '../harness/servers/index.ts';
import type { ConformanceOptions } from './conformance.ts';

/** A server that comes with the tests. */
export const ALWAYS: Available = { ok: true, path: '' };

export interface SuiteServer extends NonNullable<ConformanceOptions['server']> {
  /** Once it was started. */
  url(): string;
}

export function onServer(available: Available, startOne: () => Promise<RunningServer>): SuiteServer {
  let running: RunningServer | undefined;
  return {
    available,
    async start() {
      running = await startOne();
    },
    async stop() {
      await running?.stop();
      running = undefined;
    },
    url() {
      if (running === undefined) throw new Error('the server was not started');
      return running.url;
    },
  };
}
