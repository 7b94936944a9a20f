/** Sends the commands of a round as clients do: what is not confirmed is sent again. */
import { setTimeout as delay } from 'node:timers/promises';
import { type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import { scaledMs } from '../harness/slowness.ts';
import type { Deployment } from './deployment.ts';
import type { SoakPlan } from './plans.ts';
import { publishPoison } from './poison.ts';

const PATIENCE_MS = 60_000;
const REQUEST_MS = 5_000;
/** Longer than COMMANDS remembers a message id. */
const FORGOTTEN_MS = 1_000;

async function send(connection: NatsConnection, subject: string, body: unknown, msgId?: string): Promise<void> {
  const headers = newHeaders();
  if (msgId !== undefined) headers.set('Nats-Msg-Id', msgId);
  for (const untilMs = performance.now() + scaledMs(PATIENCE_MS); ; await delay(200)) {
    try {
      const reply = await connection.request(subject, JSON.stringify(body), { timeout: scaledMs(REQUEST_MS), headers });
      const { error } = reply.json<{ error?: { description: string } }>();
      if (error === undefined) return;
      throw new Error(`${subject}: ${error.description}`);
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}

/** Resolves once a run of the plan has started, or it ended without. */
async function started(client: NatsConnection, id: string, submit: () => Promise<void>): Promise<void> {
  const subscription = client.subscribe(`ledger.${id}.>`);
  await client.flush().catch(() => undefined);
  await submit();
  const abort = new AbortController();
  const bound = delay(scaledMs(PATIENCE_MS), undefined, { signal: abort.signal }).catch(() => undefined);
  void bound.then(() => subscription.unsubscribe());
  for await (const message of subscription) if (/"kind":"execution\.started"/.test(message.string())) break;
  abort.abort();
}

export async function submitPlan(deployment: Deployment, plan: SoakPlan): Promise<void> {
  const { client, alice, bob } = deployment;
  const { id, body } = plan;
  const submit = (): Promise<void> => send(client, 'plans.submit', body);
  const cancel = (): Promise<void> => send(client, 'plans.cancel', { plan_id: id });
  if (plan.meddled === true) {
    await started(client, id, () => send(alice, 'plans.alice.submit', body));
    await send(bob, 'plans.bob.cancel', { plan_id: id });
    return send(client, 'plans.cancel', { plan_id: id });
  }
  if (plan.sent === 'under a used id') {
    await publishPoison(client, {
      subject: 'plans.submit',
      body: new Uint8Array([123]),
      headers: { 'Nats-Msg-Id': id },
    });
    await delay(FORGOTTEN_MS);
    return send(client, 'plans.submit', body, id);
  }
  if (plan.sent === 'twice') await submit();
  if (plan.cancel === undefined) return submit();
  if (plan.cancel === 'running') await started(client, id, submit);
  else await submit();
  return cancel();
}
