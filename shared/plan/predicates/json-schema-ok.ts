import Type, { type Static } from 'typebox';
import { compileSchema } from '../../schema/user-schema.ts';
import { jsonRead, withJson } from './json-evidence.ts';
import type { Predicate } from './predicate.ts';

const Args = Type.Object(
  {
    use: Type.Literal('json.schema_ok@1'),
    path: Type.String({ minLength: 1 }),
    schema: Type.Unknown({ description: 'JSON Schema 2020-12; references stay inside it' }),
  },
  { additionalProperties: false },
);

/** The JSON at `path` matches `schema`. */
export const jsonSchemaOk: Predicate<Static<typeof Args>> = {
  use: 'json.schema_ok@1',
  args: Args,
  paths: ['path'],
  reads: ({ path }) => jsonRead(path),
  programFaults: ({ schema }, pointer) => {
    const compiled = compileSchema(schema, 'ERR_PREDICATE', `${pointer}/schema`);
    return compiled.ok ? [] : compiled.faults;
  },
  check: ({ path, schema }, evidence) =>
    withJson(evidence, path, (document) => {
      const compiled = compileSchema(schema, 'ERR_PREDICATE', '');
      if (!compiled.ok) return { ok: false, found: `the schema is not usable: ${compiled.faults[0]?.message}` };
      const [first] = compiled.faults(document, 'ERR_PREDICATE', '');
      if (first === undefined) return { ok: true, found: 'it matches' };
      return { ok: false, found: `${first.pointer || '/'}: ${first.message}, expected ${first.expected}` };
    }),
};
