import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { IsomorphError } from '../../shared/errors/isomorph-error.ts';
import { parseImageReference } from '../../shared/ids/image-reference.ts';
import type { Processor } from '../../shared/plan/registry.ts';
import { EngineImages } from '../../shared/providers/docker/engine-images.ts';
import { withImage } from '../../shared/registry/pin.ts';
import { loadRegistry } from '../../shared/registry/registry.ts';
import { RUNTIME_CAPABILITIES } from '../../shared/runtime/capabilities.ts';
import { pinOf, repoDigest } from '../../shared/runtime/image-identity.ts';
import { plural } from '../../shared/text/plural.ts';
import type { Context } from '../context.ts';
import { shownPath } from '../place.ts';
import { GLYPH } from '../render/theme.ts';

interface Pinned {
  readonly ref: string;
  readonly file: string;
  readonly image: string;
  /** What names the image: the digest of its registry, or its identity where it has none. */
  readonly by: 'digest' | 'identity';
  readonly changed: boolean;
}

/** @throws ERR_UNKNOWN_PROCESSOR for a ref that the registry has not */
function chosen(processors: ReadonlyMap<string, Processor>, refs: readonly string[]): Processor[] {
  if (refs.length === 0) return [...processors.values()];
  return refs.map((ref) => {
    const processor = processors.get(ref);
    if (processor !== undefined) return processor;
    const expected = [...processors.keys()].join(', ');
    throw new IsomorphError('ERR_UNKNOWN_PROCESSOR', `the registry has no processor ${ref}`, { expected });
  });
}

/** The file of each processor, by its ref. */
async function filesOf(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
  const files = names.map(async (name): Promise<[string, string]> => {
    const file = path.join(folder, name);
    const { ref } = parse(await readFile(file, 'utf8')) as { ref: string };
    return [ref, file];
  });
  return new Map(await Promise.all(files));
}

/** Replaces the file at once, so that whoever reads it meanwhile sees all of the old or all of the new. */
async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`;
  await writeFile(draft, text, { mode: (await stat(file)).mode });
  await rename(draft, file);
}

/** Undefined when the engine has no such image. */
async function pinOne(engine: EngineImages, { ref, image }: Processor, file: string): Promise<Pinned | undefined> {
  const { name } = parseImageReference(image);
  const found = (await engine.inspect(name)) ?? (await engine.inspect(image));
  if (found === undefined) return undefined;
  const pinned = `${name}@${pinOf(found, name)}`;
  if (pinned !== image) await replace(file, withImage(await readFile(file, 'utf8'), pinned));
  const by = repoDigest(found, name) === undefined ? 'identity' : 'digest';
  return { ref, file, image: pinned, by, changed: pinned !== image };
}

/**
 * `isomorph registry pin [ref…]`: writes what each image is now into the registry files.
 * @param folder the registry
 * @returns 1 when the engine lacks an image; the others are pinned all the same
 */
export async function pin(context: Context, folder: string, refs: readonly string[]): Promise<number> {
  const { out, terminal } = context;
  const all = chosen((await loadRegistry(folder)).processors, refs);
  // What workers alone run has no image.
  const processors = all.filter(({ adapters }) => adapters.some((adapter) => RUNTIME_CAPABILITIES[adapter].images));
  const files = await filesOf(path.join(folder, 'processors'));
  const engine = await EngineImages.connect(terminal.env.DOCKER_HOST);
  const pinned: Pinned[] = [];
  const missing: { ref: string; image: string }[] = [];
  for (const processor of processors) {
    const done = await pinOne(engine, processor, files.get(processor.ref) ?? '');
    if (done === undefined) missing.push({ ref: processor.ref, image: processor.image });
    else pinned.push(done);
  }
  const { good, bad, bold, dim } = out.theme;
  for (const { ref, file, image, by, changed } of pinned) {
    const what = changed ? shownPath(file, terminal.cwd) : 'unchanged';
    out.lines(`${good(GLYPH.good)} ${bold(ref)}  ${what}`, dim(`    ${image} (${by})`));
  }
  for (const { ref, image } of missing) {
    out.lines(`${bad(GLYPH.bad)} ${bold(ref)}  the engine has no image ${image}`);
  }
  if (missing.length > 0) {
    out.lines(
      `  ${plural(missing.length, 'image')} to build or pull first: npm run images, or npm run images -- --offline`,
    );
  }
  out.document({ ok: missing.length === 0, pinned, missing });
  return missing.length === 0 ? 0 : 1;
}
