import Type, { type Static } from 'typebox';
import { compileExpression } from '../../schema/jmespath.ts';
import { jsonRead, withJson } from './json-evidence.ts';
import type { Predicate } from './predicate.ts';

const Args = Type.Object(
  {
    use: Type.Literal('artifact.jmespath_ok@1'),
    path: Type.String({ minLength: 1 }),
    expression: Type.String({ minLength: 1, maxLength: 4096 }),
  },
  { additionalProperties: false },
);

/** JMESPath's own truth: false, null and what is empty are false. */
const isTruthy = (value: unknown): boolean => {
  if (value === undefined || value === null || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === 'object' ? Object.keys(value).length > 0 : true;
};

/** The JMESPath expression is true of the JSON at `path`. */
export const artifactJmespathOk: Predicate<Static<typeof Args>> = {
  use: 'artifact.jmespath_ok@1',
  args: Args,
  paths: ['path'],
  reads: ({ path }) => jsonRead(path),
  programFaults: ({ expression }, pointer) => {
    const compiled = compileExpression(expression, 'ERR_PREDICATE', `${pointer}/expression`);
    return compiled.ok ? [] : compiled.faults;
  },
  check: ({ path, expression }, evidence) =>
    withJson(evidence, path, (document) => {
      const compiled = compileExpression(expression, 'ERR_PREDICATE', '');
      if (!compiled.ok) return { ok: false, found: `the expression is not usable: ${compiled.faults[0]?.message}` };
      const value = compiled.search(document);
      return { ok: isTruthy(value), found: JSON.stringify(value) ?? 'null' };
    }),
};
