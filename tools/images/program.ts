import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { bundle } from '../../shared/runtime/bundle.ts';
import { nativePackages, stagePackages } from './packages.ts';
import type { Stage } from './stage.ts';

/** A processor's own files in its image: everything of it is in `/app`. */

export type Language = 'node' | 'python';

/** What an image says of how it is started, the same whether it is built offline or from a Dockerfile. */
export interface ImageConfig {
  readonly Entrypoint: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly User: string;
  readonly WorkingDir: string;
}

/** The images run as nobody in particular; the runtime insists on that anyway. */
const USER = '65532:65532';

/** In this image the runtime may park containers ahead: its boot waits for the job before it loads the processor. */
const BOOT_LABEL = { 'dev.isomorph.boot': '1' } as const;

const ENVIRONMENT: Readonly<Record<Language, readonly string[]>> = {
  node: ['PATH=/usr/local/bin:/usr/bin:/bin'],
  python: [
    'PATH=/usr/local/bin:/usr/bin:/bin',
    // Nothing is written beside the program: the root of a container is read-only.
    'PYTHONDONTWRITEBYTECODE=1',
    'PYTHONUNBUFFERED=1',
    // Where a Python looks for certificates depends on the system that it comes from.
    'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
  ],
};

/** In which language a processor's folder is written; undefined when it has no program. */
export function languageOf(folder: string): Language | undefined {
  if (existsSync(path.join(folder, 'processor.ts'))) return 'node';
  if (existsSync(path.join(folder, 'processor.py'))) return 'python';
  return undefined;
}

const bootOf = (processorsDir: string): string => path.join(processorsDir, 'sdk', 'boot.ts');

export interface StagedProgram {
  readonly config: ImageConfig;
  /** Native files whose libraries must be in the image, as they lie on this machine. */
  readonly natives: readonly string[];
}

/** First files as registry files name them. In an image each is the bundle, so that `entrypoint` is a command there too. */
const FIRST_FILES = ['processor.ts', 'main.mjs'];

/** Bundles a TypeScript processor to `/app/processor.mjs`, and what starts it to `/app/boot.mjs`. */
async function stageNodeProgram(stage: Stage, folder: string, bootEntry: string): Promise<StagedProgram> {
  const packages = await nativePackages(folder);
  await stage.text('/app/processor.mjs', await bundle(path.join(folder, 'processor.ts'), packages.external));
  for (const name of FIRST_FILES) {
    if (existsSync(path.join(folder, name))) await stage.link(`/app/${name}`, 'processor.mjs');
  }
  const natives = await stagePackages(stage, packages, '/app');
  const config = { Env: ENVIRONMENT.node, User: USER, WorkingDir: '/app' };
  if (!existsSync(bootEntry)) {
    return { natives, config: { ...config, Entrypoint: ['node', '/app/processor.mjs'], Labels: {} } };
  }
  await stage.text('/app/boot.mjs', await bundle(bootEntry));
  const Entrypoint = ['node', '/app/boot.mjs', '/app/processor.mjs'];
  return { natives, config: { ...config, Entrypoint, Labels: BOOT_LABEL } };
}

async function stagePythonProgram(stage: Stage, folder: string): Promise<StagedProgram> {
  for (const name of (await readdir(folder)).sort()) {
    if (name.endsWith('.py')) await stage.copy(path.join(folder, name), `/app/${name}`);
  }
  const Entrypoint = ['python3', '/app/processor.py'];
  return { natives: [], config: { Entrypoint, Env: ENVIRONMENT.python, Labels: {}, User: USER, WorkingDir: '/app' } };
}

/** Puts the program of a processor's folder into `/app`. */
export function stageProgram(stage: Stage, folder: string, language: Language): Promise<StagedProgram> {
  switch (language) {
    case 'node':
      return stageNodeProgram(stage, folder, bootOf(path.dirname(folder)));
    case 'python':
      return stagePythonProgram(stage, folder);
  }
}

/** How the base images are started when nobody says otherwise. */
export const baseConfig = (language: Language): ImageConfig => ({
  Entrypoint: [language === 'node' ? 'node' : 'python3'],
  Env: ENVIRONMENT[language],
  Labels: {},
  User: USER,
  WorkingDir: '/app',
});
