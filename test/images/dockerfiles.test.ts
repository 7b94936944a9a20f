import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import * as assert from 'uvu/assert';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { writeArchive } from '../../tools/images/archive.ts';
import { stageNodeBase } from '../../tools/images/base.ts';
import { packagesOf, stagePackages } from '../../tools/images/packages.ts';
import { languageOf, stageProgram } from '../../tools/images/program.ts';
import { packLayer, Stage } from '../../tools/images/stage.ts';
import { available, type RunningDocker, startDocker } from '../harness/servers/index.ts';
import { suite } from '../harness/suite.ts';
import { runContainer } from './run-container.ts';

/**
 * The Dockerfiles, built by a real engine without a network: instead of the public base there is one of this machine's
 * Node, whose `npm ci` installs what is installed here. What that leaves untried is told in docs/images.md.
 */
const test = suite('Dockerfiles', undefined, { timeoutMs: 300_000 });
const found = await available('docker');
test.skipUnless(found.ok, found.ok ? '' : found.reason);

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const STAND_IN = 'isomorph-images-test/node:22-slim';

/** Takes `npm ci` for what the Dockerfiles ask: an installation by the lock, without scripts. */
const NPM = `#!/usr/local/bin/node
const { cpSync, existsSync } = require('node:fs');
const [command, ...flags] = process.argv.slice(2);
if (command !== 'ci' || !flags.includes('--ignore-scripts') || !existsSync('package-lock.json')) process.exit(1);
cpSync('/opt/node_modules', 'node_modules', { recursive: true });
`;

/** What the build asks of the context; it must ask for no more. */
const CONTEXT = ['.npmrc', 'package.json', 'package-lock.json', 'processors', 'shared', 'tools'];

const folders: string[] = [];
for (const name of (await readdir(path.join(PROJECT, 'processors'))).sort()) {
  if (languageOf(path.join(PROJECT, 'processors', name)) === 'node') folders.push(name);
}
const dockerfileOf = (name: string) => readFile(path.join(PROJECT, 'processors', name, 'Dockerfile'), 'utf8');
const tagOf = (name: string): string => `isomorph-images-test/${name}:1`;

let work = '';
let engine: RunningDocker;
let docker: Docker;

async function loadStandIn(): Promise<void> {
  const stage = new Stage(path.join(work, 'stand-in'));
  await stageNodeBase(stage);
  await writeFile(path.join(work, 'npm'), NPM, { mode: 0o755 });
  await stage.copy(path.join(work, 'npm'), '/usr/local/bin/npm');
  // What builds, and what the SDK imports for those who serve.
  const needed = ['esbuild', 'tsx', '@nats-io/transport-node'];
  const packages = await Promise.all(needed.map((name) => packagesOf(name, PROJECT)));
  for (const name of folders) {
    const folder = path.join(PROJECT, 'processors', name);
    const { dependencies = {} } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
    for (const dependency of Object.keys(dependencies)) packages.push(await packagesOf(dependency, folder));
  }
  await stagePackages(stage, { folders: new Map(packages.flatMap((some) => [...some])) }, '/opt');
  const layer = await packLayer(stage.at('/'), path.join(work, 'stand-in.tar'));
  const config = { Entrypoint: [], Env: ['PATH=/usr/local/bin:/usr/bin'], Labels: {}, User: '', WorkingDir: '/' };
  const archive = await writeArchive([{ tags: [STAND_IN], layers: [layer], config }], work);
  await (await EngineImages.connect(engine.dockerHost)).load(createReadStream(archive));
}

async function packContext(): Promise<void> {
  const context = path.join(work, 'context');
  await mkdir(context);
  const filter = (source: string): boolean => path.basename(source) !== 'node_modules';
  for (const name of CONTEXT) await cp(path.join(PROJECT, name), path.join(context, name), { recursive: true, filter });
  for (const name of folders) {
    const text = await dockerfileOf(name);
    await writeFile(path.join(context, `${name}.Dockerfile`), text.replaceAll('node:22-slim', STAND_IN));
  }
  await promisify(execFile)('tar', ['-c', '-f', path.join(work, 'context.tar'), '-C', context, '.']);
}

test.before(async () => {
  work = await mkdtemp(path.join(os.tmpdir(), 'isomorph-dockerfiles-'));
  engine = await startDocker();
  docker = new Docker({ socketPath: engine.socketPath });
  await loadStandIn();
  await packContext();
});

test.after(async () => {
  await Promise.allSettled([...folders.map(tagOf), STAND_IN].map((name) => docker.getImage(name).remove()));
  await engine?.stop();
  await rm(work, { recursive: true, force: true });
});

async function build(name: string): Promise<void> {
  const stream = await docker.buildImage(path.join(work, 'context.tar'), {
    dockerfile: `${name}.Dockerfile`,
    t: tagOf(name),
    networkmode: 'none',
    forcerm: true,
  });
  const said = await new Promise<readonly { error?: string; stream?: string }[]>((resolve, reject) =>
    docker.modem.followProgress(stream, (error: Error | null, lines) =>
      error === null ? resolve(lines) : reject(error),
    ),
  );
  const failed = said.find(({ error }) => error !== undefined)?.error;
  if (failed !== undefined) throw new Error(`${failed}\n${said.map(({ stream: text = '' }) => text).join('')}`);
}

/** Prints the hash of every file below `/app` but packages. */
const HASHES = `
  const { createHash } = require('node:crypto');
  const { readdirSync, readFileSync } = require('node:fs');
  for (const name of readdirSync('/app').filter((one) => one !== 'node_modules').sort())
    console.log(name, createHash('sha256').update(readFileSync('/app/' + name)).digest('hex'));`;

async function hashesHere(name: string): Promise<string> {
  const stage = new Stage(path.join(work, `here-${name}`));
  await stageProgram(stage, path.join(PROJECT, 'processors', name), 'node');
  const { stdout } = await promisify(execFile)(process.execPath, [
    '-e',
    HASHES.replaceAll("'/app", `'${stage.at('/app')}`),
  ]);
  return stdout;
}

test('every TypeScript processor has one, and they differ in its name alone', async () => {
  assert.ok(folders.length >= 5);
  const [first = ''] = folders;
  const expected = await dockerfileOf(first);
  for (const name of folders) assert.is(await dockerfileOf(name), expected.replaceAll(first, name), name);
});

test('they ask for nothing that only some builders have', async () => {
  for (const name of folders) {
    assert.not.match(await dockerfileOf(name), /^#\s*syntax=|<<|--link|--mount|--parents|--chmod/m, name);
  }
});

for (const name of folders) {
  test(`${name}: it builds to the same program as offline, started the same way`, async () => {
    await build(name);
    const { Config } = await docker.getImage(tagOf(name)).inspect();
    assert.is(Config.User, '65532:65532');
    assert.is(Config.WorkingDir, '/app');
    assert.equal(Config.Entrypoint, ['node', '/app/boot.mjs', '/app/processor.mjs']);
    assert.is(Config.Labels['dev.isomorph.boot'], '1');
    const { output } = await runContainer(docker, { Image: tagOf(name), Entrypoint: ['node', '-e', HASHES] });
    assert.is(output, await hashesHere(name));
    const refused = await runContainer(docker, { Image: tagOf(name) }, '{"v":2}\n');
    assert.is.not(refused.exitCode, 0);
    assert.match(refused.output, '"isomorph":"error"');
  });
}

test.run();
