import type { Static, TSchema } from 'typebox';
import { IsomorphError } from '../../errors/isomorph-error.ts';
import { validator } from '../../schema/validate.ts';

/** A reader of one kind of Dict entry. @throws IsomorphError ERR_INTERNAL for what Isomorph did not write. */
export function recordParser<T extends TSchema>(schema: T): (value: unknown) => Static<T> {
  const validate = validator(schema, 'ERR_INTERNAL');
  return (value) => {
    const validated = validate(value);
    if (validated.ok) return validated.value;
    const message = `a Modal Dict holds an entry that Isomorph did not write: ${validated.faults[0]?.message}`;
    throw new IsomorphError('ERR_INTERNAL', message);
  };
}
