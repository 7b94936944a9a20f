import Type, { type Static } from 'typebox';
import type { Predicate } from './predicate.ts';

const Args = Type.Object(
  {
    use: Type.Literal('artifact.exists@1'),
    path: Type.String({ minLength: 1 }),
    min_bytes: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
);

/** An artifact is at `path`, with at least `min_bytes` bytes. */
export const artifactExists: Predicate<Static<typeof Args>> = {
  use: 'artifact.exists@1',
  args: Args,
  paths: ['path'],
  reads: ({ path }) => [{ kind: 'artifact', path, bytes: false }],
  check({ path, min_bytes: minBytes = 0 }, evidence) {
    const artifact = evidence.artifact(path);
    if (artifact === undefined) return { ok: false, found: `nothing at ${path}` };
    return { ok: artifact.size >= minBytes, found: `${artifact.size} bytes, ${artifact.cid}` };
  },
};
