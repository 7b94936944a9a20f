import { jetstreamManager } from '@nats-io/jetstream';
import * as assert from 'uvu/assert';
import { CONSUMERS } from '../../shared/wire/consumers.ts';
import { WORK_STREAM } from '../../shared/wire/work.ts';
import { suite } from '../harness/suite.ts';
import { withLive } from './live.ts';
import { runCli } from './run-cli.ts';

const test = suite('the doctor and what was deleted');

test('streams and consumers that are gone are named, with who makes them anew', () =>
  withLive(async ({ connection, cwd, env }) => {
    const look = async () => {
      const { documents } = await runCli(['doctor', '--json'], { cwd, env });
      const { checks } = documents()[0] as { checks: { name: string; verdict: string; found: string }[] };
      const { verdict, found } = checks.find(({ name }) => name === 'streams') ?? {};
      return { verdict, found };
    };
    assert.equal(await look(), { verdict: 'ok', found: 'all streams and consumers are there' });
    const jsm = await jetstreamManager(connection);
    const { stream, durable } = CONSUMERS.settler;
    await jsm.consumers.delete(stream, durable);
    await jsm.streams.delete(WORK_STREAM);
    assert.equal(await look(), { verdict: 'fail', found: `gone: ${WORK_STREAM}, ${stream}/${durable}` });
  }));

test.run();
