import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parseSubmission } from '../../services/admission/command.ts';
import { ruleOn } from '../../services/admission/decide.ts';
import { namedSteps } from '../../services/admission/named.ts';
import type { Deployment } from '../../services/admission/resolve-step.ts';
import { lookUpSecrets } from '../../services/admission/secrets.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import type { SecretResolver } from '../../shared/secrets/secrets.ts';
import { probePlan } from '../harness/probe-plan.ts';
import { suite } from '../harness/suite.ts';

const test = suite('secrets at admission');

const registry = await loadRegistry(fileURLToPath(new URL('../fixtures/registry', import.meta.url)));
const plan = probePlan('kept', { processor: 'test/keeper@1' });

/** A resolver that knows this much of every secret, and gives none. */
const resolver = (answer: boolean | undefined, injectedBy?: 'modal'): SecretResolver => ({
  injectedBy,
  has: async () => answer,
  get: () => Promise.reject(new Error('admission does not read values')),
  close: async () => undefined,
});

async function faultsOf(secrets: SecretResolver) {
  const parsed = parseSubmission(Buffer.from(JSON.stringify(plan)));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  const known = await lookUpSecrets(secrets, namedSteps(parsed.value.document, registry));
  const scratch = { kv: undefined, queue: undefined };
  const images = { pinnedImage: () => undefined, faultsAt: () => [] };
  const deployment = { defaultAdapter: 'mock', adapters: ['mock'], ...scratch, ...images, ...known } as Deployment;
  return ruleOn(parsed.value, registry, deployment).faults.map(({ code, pointer, message }) => [
    code,
    pointer,
    message,
  ]);
}

test('a secret that is missing refuses the plan by name; one that nobody can tell of does not', async () => {
  const missing = ['ERR_MISSING_SECRET', '/steps/0/processor', 'test/keeper@1 needs secret PROBE_TOKEN'];
  assert.equal(await faultsOf(resolver(false)), [missing]);
  assert.equal(await faultsOf(resolver(undefined)), []);
  assert.equal(await faultsOf(resolver(true)), []);
});

test('secrets that cannot leave Modal refuse a plan for another runtime', async () => {
  const [fault = []] = await faultsOf(resolver(true, 'modal'));
  assert.equal(fault.slice(0, 2), ['ERR_CAPABILITY', '/steps/0/processor']);
  assert.match(fault[2] ?? '', /PROBE_TOKEN cannot leave modal/);
});

test('asked about is what a document names, whatever else it is', () => {
  const named = namedSteps({ ...plan, adapter: 'local' }, registry);
  assert.equal(
    named.map(({ processor, adapter }) => [processor.ref, processor.secrets.required, adapter]),
    [['test/keeper@1', ['PROBE_TOKEN'], 'local']],
  );
  for (const steps of [undefined, 'x', 5, [null, 5, { processor: 7 }, { processor: 'no/such@1' }, [['a']]]]) {
    assert.equal(namedSteps({ steps }, registry), []);
  }
});

test.run();
