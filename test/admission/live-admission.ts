import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { startAdmission } from '../../services/admission/service.ts';
import { DEFAULT_LIMITS } from '../../services/common/config/limits.ts';
import type { Judge } from '../../shared/judge/judge.ts';
import type { Consumption } from '../../shared/nats/consume.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { openSecrets } from '../../shared/secrets/open.ts';
import type { TestStack } from '../harness/stack.ts';

/** Admission in this process, beside a stack without one, with a judge of the test. */
export async function admissionWith(its: TestStack, judge: Judge): Promise<Consumption> {
  return startAdmission({
    connection: its.core,
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
    onForeign: () => undefined,
    judge,
    store: its.store,
    secrets: await openSecrets('env:', {}),
    registry: await loadRegistry(fileURLToPath(new URL('../fixtures/registry', import.meta.url))),
    declareLeases: false,
    operators: [],
    limits: DEFAULT_LIMITS,
    tellLimit: () => undefined,
    deployment: { adapters: ['mock'], defaultAdapter: 'mock', kv: undefined, queue: undefined },
  });
}
