import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** A registry file as a person writes it: comments, flow maps, blank lines, an odd indent. */
export const registryFile = (ref: string, image: string): string => `# Who maintains it: the team of tables.
ref: ${ref}
description: "Draws: a table"   # two spaces, then a comment

# The image is built from processors/.
image: ${image}   # the tag moves
entrypoint: [ node,   processor.ts ]
runtime: { cpu: 1, memory_gb: 0.5, timeout_s: 60, network: artifacts }
adapters:
    - mock
    - local
secrets: { required: [] }
inputs:
  artifacts: {}
  params:
    type: object
    description: >-
      a long text that is folded over more than one line and would come out otherwise if anything wrote this file
      anew
outputs: []
scratch: []

read_only: false
cost: { usd_micro_fixed: 50, usd_micro_per_s: 20 }
`;

export interface RegistryFolder {
  readonly folder: string;
  text(name: string): Promise<string>;
  remove(): Promise<void>;
}

/** A registry of these processor files, by name without extension. */
export async function writeRegistry(files: Readonly<Record<string, string>>): Promise<RegistryFolder> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'isomorph-registry-'));
  const fileOf = (name: string): string => path.join(folder, 'processors', `${name}.yaml`);
  await mkdir(path.join(folder, 'processors'));
  await mkdir(path.join(folder, 'policies'));
  for (const [name, text] of Object.entries(files)) await writeFile(fileOf(name), text);
  return {
    folder,
    text: (name) => readFile(fileOf(name), 'utf8'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
