import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { Static, TSchema } from 'typebox';
import type { ErrorCode } from '../errors/codes.ts';
import { type Fault, fault } from '../errors/isomorph-error.ts';

/** The parsed value, or every fault with its JSON Pointer (RFC 6901) and what was expected there. */
export type Validated<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: Fault[] };

/** A reader of 20 faults has enough to work on; a hostile document must not make a large answer. */
const MAX_FAULTS = 20;

const newAjv = (allErrors: boolean): Ajv2020 =>
  new Ajv2020({ allErrors, strict: false, validateFormats: false, logger: false });

const lazily = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

const ajv = lazily(() => newAjv(false));
const ajvAllErrors = lazily(() => newAjv(true));

const escapePointer = (token: string): string => token.replaceAll('~', '~0').replaceAll('/', '~1');

function expectation(error: ErrorObject): { pointer: string; expected: string } {
  const params: Record<string, unknown> = error.params;
  switch (error.keyword) {
    case 'required':
      return { pointer: error.instancePath, expected: `a field "${String(params.missingProperty)}"` };
    case 'additionalProperties':
      return {
        pointer: `${error.instancePath}/${escapePointer(String(params.additionalProperty))}`,
        expected: 'no such field',
      };
    case 'const':
      return { pointer: error.instancePath, expected: JSON.stringify(params.allowedValue) };
    case 'type':
      return { pointer: error.instancePath, expected: `a value of type ${String(params.type)}` };
    default:
      return { pointer: error.instancePath, expected: `what ${error.message ?? error.keyword}` };
  }
}

/** A union reports one error a branch; the place of the union itself says more than each branch does. */
function withoutBranches(errors: readonly ErrorObject[]): ErrorObject[] {
  const unions = errors.filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  return errors.filter(
    (error) => !unions.some((union) => error !== union && error.schemaPath.startsWith(`${union.schemaPath}/`)),
  );
}

/** Ajv errors as faults of one code. `base` is the pointer of the validated value in the whole document. */
function toFaults(code: ErrorCode, errors: readonly ErrorObject[], base: string): Fault[] {
  return withoutBranches(errors)
    .slice(0, MAX_FAULTS)
    .map((error) => {
      const { pointer, expected } = expectation(error);
      return fault(code, error.message ?? error.keyword, { pointer: `${base}${pointer}`, expected });
    });
}

/**
 * A validator for one of our own schemas. It is compiled when it is first used, and the one that finds every fault when
 * something first fails: most programs use few schemas, and compiling all of them took most of their start.
 */
export function validator<T extends TSchema>(
  schema: T,
  code: ErrorCode,
): (value: unknown, base?: string) => Validated<Static<T>> {
  const quick = lazily(() => ajv().compile<Static<T>>(schema));
  const thorough = lazily(() => ajvAllErrors().compile<Static<T>>(schema));
  return (value, base = '') => {
    if (quick()(value)) return { ok: true, value };
    const check = thorough();
    check(value);
    return { ok: false, faults: toFaults(code, check.errors ?? [], base) };
  };
}
