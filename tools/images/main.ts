import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { processorFolder } from '../../shared/ids/ids.ts';
import { parseImageReference } from '../../shared/ids/image-reference.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { loadOfflineImages, type OfflineImages } from './offline.ts';

/**
 * `npm run images -- [--offline] [<processor>…]`: the images of the registry's processors, or of those named, on the
 * engine of this machine. From their Dockerfiles with `docker build`, or offline from what this machine has.
 */

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const PROCESSORS = path.join(PROJECT, 'processors');

/** A processor may be named by its ref, with or without version, or by its folder. */
const isNamed = ({ ref }: Processor, name: string): boolean =>
  name === ref || name === ref.replace(/@.*$/, '') || name === processorFolder(ref);

/** @throws ERR_UNKNOWN_PROCESSOR for a name that the registry has not */
function chosen(processors: readonly Processor[], names: readonly string[]): readonly Processor[] {
  if (names.length === 0) return processors;
  return names.map((name) => {
    const found = processors.find((processor) => isNamed(processor, name));
    if (found !== undefined) return found;
    const expected = processors.map(({ ref }) => ref).join(', ');
    throw new IsomorphError('ERR_UNKNOWN_PROCESSOR', `the registry has no processor ${name}`, { expected });
  });
}

async function showOffline(engine: EngineImages, { images, skipped }: OfflineImages): Promise<void> {
  for (const { tags } of images) {
    const [tag = ''] = tags;
    const image = await engine.inspect(tag);
    const size = `${((image?.Size ?? 0) / 1e6).toFixed(1)} MB`;
    process.stdout.write(
      `${tag.padEnd(40)} ${size.padStart(9)}  ${image?.Id.slice(0, 19)}  ${tags.slice(1).join(' ')}\n`,
    );
  }
  for (const { ref, reason } of skipped) process.stdout.write(`${ref}: no image, for ${reason}\n`);
}

function build(processor: Processor): Promise<void> {
  const folder = processorFolder(processor.ref);
  const file = path.join('processors', folder, 'Dockerfile');
  if (!existsSync(path.join(PROJECT, file))) throw new IsomorphError('ERR_CONFIG', `there is no ${file}`);
  const { name } = parseImageReference(processor.image);
  const docker = spawn('docker', ['build', '-f', file, '-t', name, '.'], { cwd: PROJECT, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    docker.once('error', (error) =>
      reject(new IsomorphError('ERR_CONFIG', 'there is no docker command; try --offline', {}, error)),
    );
    docker.once('exit', (code) =>
      code === 0 ? resolve() : reject(new IsomorphError('ERR_UNAVAILABLE', `docker build of ${file} failed`)),
    );
  });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { offline: { type: 'boolean' } }, allowPositionals: true });
  const registry = await loadRegistry(path.resolve(process.env.ISOMORPH_REGISTRY || path.join(PROJECT, 'registry')));
  const processors = chosen([...registry.processors.values()], positionals);
  const engine = await EngineImages.connect(process.env.DOCKER_HOST);
  if (values.offline === true) {
    await showOffline(engine, await loadOfflineImages(engine, { processorsDir: PROCESSORS, processors }));
    return;
  }
  for (const processor of processors) await build(processor);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof IsomorphError)) throw error;
  const expected = error.place.expected === undefined ? '' : `\n  expected ${error.place.expected}`;
  process.stderr.write(`error ${error.code}: ${error.message}${expected}\n`);
  process.exitCode = 1;
}
