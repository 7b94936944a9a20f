import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import type { Processor } from '../../shared/plan/registry.ts';
import type { TestStack } from '../harness/stack.ts';
import { suite } from '../harness/suite.ts';
import { allowing, type ChatServer, delta, event, json, KEY, openChatServer, stream } from './llm-chat-server.ts';
import { file } from './run-processor.ts';
import { type ExamplePlan, failuresOf, runExample, startRepositoryStack } from './run-registered.ts';

const test = suite('llm/chat in a plan');

let chat: ChatServer;
let registry: string;
let its: TestStack;
test.before(async () => {
  chat = await openChatServer();
  registry = await mkdtemp(join(tmpdir(), 'isomorph-registry-'));
  await cp(file('registry'), registry, { recursive: true });
  const path = join(registry, 'processors/llm_chat.yaml');
  const processor: Processor = parse(await readFile(path, 'utf8'));
  await writeFile(path, stringify(allowing(chat.baseUrl)(processor)));
  its = await startRepositoryStack({ registry, env: { SECRETS_URL: 'env:', ISOMORPH_SECRET_OPENAI_API_KEY: KEY } });
});
test.after(async () => {
  await its.stop();
  await chat.close();
  await rm(registry, { recursive: true, force: true });
});

const INPUTS = { '/artifacts/inputs/notes.txt': Buffer.from('Penguins swim.') };

const asking =
  (planId: string, baseUrl: string) =>
  (plan: ExamplePlan): ExamplePlan => {
    plan.plan_id = planId;
    for (const step of plan.steps) step.params = { ...step.params, base_url: baseUrl };
    return plan;
  };

test('the example plan runs on the mock adapter, and tries again when the server was busy', async () => {
  const busy = json(429, { error: { message: 'busy' } }, { 'retry-after': '1' });
  chat.reply = async (response) => {
    chat.reply = stream(event(delta('They swim.', 'stop')) + event('[DONE]'), [4]);
    await busy(response);
  };
  const { state, bytes } = await runExample(its, 'chat', INPUTS, asking('chat', chat.baseUrl));
  assert.is(state.settled?.status, 'succeeded', failuresOf(state));
  assert.is(failuresOf(state), 'chat.summary.1: ERR_UNAVAILABLE HTTP 429: busy; Retry-After: 1 s');
  assert.is(Buffer.from(await bytes('summary/answer.txt')).toString(), 'They swim.');
});

test('a plan that names another server is refused before the key is touched', async () => {
  const { state } = await runExample(its, 'chat', INPUTS, asking('chat-elsewhere', 'https://evil.example/v1'));
  assert.is(state.phase, 'rejected');
  assert.match(JSON.stringify(state.rejected), /"ERR_PARAMS".*base_url/);
});

test.run();
