import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { ledgerMessages, refusal, withServer } from './accounts.ts';

const test = suite('stack nats accounts: services and auditors');

test('a service appends and reads, but cannot unmake a stream', async () => {
  await withServer(async (as) => {
    const service = await as('service');
    const { seq } = await jetstream(service).publish('ledger.p1.plan.submitted', '{}');
    assert.is(seq, 1);
    const manager = await jetstreamManager(service);
    assert.is((await manager.direct.getMessage('LEDGER', { seq: 1 }))?.subject, 'ledger.p1.plan.submitted');
    const { streams } = manager;
    const refused = await Promise.all(
      [
        streams.delete('LEDGER'),
        streams.purge('LEDGER'),
        streams.update('LEDGER', { max_msgs: 1 }),
        streams.deleteMessage('LEDGER', 1),
        streams.add({ name: 'OTHER', subjects: ['other'] }),
        service.request('$JS.API.STREAM.RESTORE.LEDGER', '{}'),
      ].map(refusal),
    );
    assert.equal(new Set(refused), new Set(['PermissionViolationError']));
    assert.is(await ledgerMessages(as), 1);
  });
});

test('a service uses the bucket of KV as any client of NATS KV, but cannot make, purge or unmake one', async () => {
  await withServer(async (as) => {
    const service = await as('service');
    const bucket = await new Kvm(service).open('SCRATCH');
    const watch = await bucket.watch({ key: 'p1.>' });
    await bucket.put('p1.k', 'v');
    assert.is((await bucket.get('p1.k'))?.string(), 'v');
    await bucket.delete('p1.k');
    const heard: string[] = [];
    for await (const { operation } of watch) if (heard.push(operation) === 2) break;
    assert.equal(heard, ['PUT', 'DEL']);
    const jsm = await jetstreamManager(service);
    const refused = await Promise.all(
      [new Kvm(service).create('OTHER'), jsm.streams.purge('KV_SCRATCH'), bucket.destroy()].map(refusal),
    );
    assert.equal(new Set(refused), new Set(['PermissionViolationError']));
  });
});

test('KV of plans is closed to clients and to the auditor', async () => {
  await withServer(async (as) => {
    const subjects = [
      '$KV.SCRATCH.p1.k',
      '$JS.API.STREAM.MSG.GET.KV_SCRATCH',
      '$JS.API.STREAM.INFO.KV_SCRATCH',
      '$JS.API.CONSUMER.CREATE.KV_SCRATCH.c.$KV.SCRATCH.>',
    ];
    for (const user of ['edge', 'auditor'] as const) {
      const client = await as(user);
      for (const subject of subjects) {
        const refused = await refusal(client.request(subject, '{}', { timeout: 500 }));
        assert.is(refused, 'PermissionViolationError', `${user} ${subject}`);
      }
      const heard = await refusal(
        (async () => {
          for await (const message of client.subscribe('$KV.>')) throw new Error(`heard ${message.subject}`);
        })(),
      );
      assert.is(heard, 'PermissionViolationError', user);
    }
  });
});

test('an auditor reads the ledger, stored and live', async () => {
  await withServer(async (as) => {
    const writer = jetstream(await as('service'));
    for (const kind of ['plan.submitted', 'plan.admitted']) await writer.publish(`ledger.p1.${kind}`, kind);
    const auditor = await as('auditor');
    const { direct } = await jetstreamManager(auditor, { checkAPI: false });
    assert.is((await direct.getMessage('LEDGER', { last_by_subj: 'ledger.p1.>' }))?.string(), 'plan.admitted');
    const chain: string[] = [];
    for await (const message of await direct.getBatch('LEDGER', { seq: 1, next_by_subj: 'ledger.p1.>', batch: 10 })) {
      chain.push(message.string());
    }
    assert.equal(chain, ['plan.submitted', 'plan.admitted']);
    const live = auditor.subscribe('ledger.>', { max: 1 });
    await auditor.flush();
    await writer.publish('ledger.p1.plan.settled', 'plan.settled');
    for await (const message of live) assert.is(message.string(), 'plan.settled');
  });
});

test('an auditor reads stored dead letters; clients do not', async () => {
  await withServer(async (as) => {
    await jetstream(await as('service')).publish('dead.commands.alice.p1', 'a letter');
    const { direct } = await jetstreamManager(await as('auditor'), { checkAPI: false });
    assert.is((await direct.getMessage('DEAD', { last_by_subj: 'dead.>' }))?.string(), 'a letter');
    for (const user of ['edge', 'alice', 'operator'] as const) {
      const asked = (await as(user)).request('$JS.API.DIRECT.GET.DEAD', '{"last_by_subj":"dead.>"}', { timeout: 500 });
      assert.is(await refusal(asked), 'PermissionViolationError', user);
    }
  });
});

test('an auditor can write nothing, by a subject or by having an answer sent to one', async () => {
  await withServer(async (as) => {
    await jetstream(await as('service')).publish('ledger.p1.plan.submitted', 'an event worth copying');
    const auditor = await as('auditor');
    const forbidden = [
      'ledger.p1.plan.settled',
      'plans.submit',
      '$JS.API.STREAM.PURGE.LEDGER',
      '$JS.API.CONSUMER.CREATE.LEDGER.c',
    ];
    for (const subject of forbidden) {
      assert.is(await refusal(auditor.request(subject, '{}', { timeout: 500 })), 'PermissionViolationError', subject);
    }
    const read = '{"last_by_subj":"ledger.p1.>"}';
    const heard = auditor.subscribe('ledger.p1.copied', { max: 1 });
    auditor.publish('$JS.API.DIRECT.GET.LEDGER', read, { reply: 'ledger.p1.copied' });
    for await (const message of heard) assert.is(message.string(), 'an event worth copying', 'the answer was sent');
    await auditor.request('$JS.API.DIRECT.GET.LEDGER', read, { timeout: 5000 });
    assert.is(await ledgerMessages(as), 1);
  });
});

test('a client hears of a commit only when the ledger has stored it', async () => {
  await withServer(async (as) => {
    const client = await as('edge');
    const heard = client.subscribe('ledger.p1.>', { max: 2 });
    await client.flush();
    const writer = jetstream(await as('service'));
    const expect = { lastSubjectSequence: 0, lastSubjectSequenceSubject: 'ledger.p1.>' };
    await writer.publish('ledger.p1.plan.submitted', 'first', { expect });
    const late = await refusal(writer.publish('ledger.p1.plan.submitted', 'lost its race', { expect }));
    assert.is(late, 'JetStreamApiError');
    await writer.publish('ledger.p1.plan.admitted', 'second');
    const bodies: string[] = [];
    for await (const message of heard) bodies.push(message.string());
    assert.equal(bodies, ['first', 'second']);
  });
});

test.run();
