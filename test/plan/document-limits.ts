import * as assert from 'uvu/assert';
import type { Validated } from '../../shared/schema/validate.ts';

/** A place in a document and what to put there; a limit is shown by what is still taken and what is not. */
export type Change = readonly [pointer: string, value: unknown];

/** Takes the member away. */
export const ABSENT = Symbol('absent');

type Node = Record<string, unknown>;

/** The document with another value at a place (RFC 6901, names without `~`). */
export function changed(document: unknown, [pointer, value]: Change): unknown {
  const copy: unknown = JSON.parse(JSON.stringify(document));
  const names = pointer.split('/').slice(1);
  const last = names.pop() ?? '';
  const parent = names.reduce((node, name) => node[name] as Node, copy as Node);
  if (value === ABSENT) delete parent[last];
  else parent[last] = value;
  return copy;
}

type Validate = (document: unknown) => Validated<unknown>;

const shown = ([pointer, value]: Change): string => `${pointer} = ${String(JSON.stringify(value)).slice(0, 80)}`;

export function takes(validate: Validate, document: unknown, changes: readonly Change[]): void {
  for (const change of changes) {
    const result = validate(changed(document, change));
    assert.equal(result.ok ? [] : result.faults, [], shown(change));
  }
}

/** Each is refused at the place of the change, or with `ABSENT` and a member too many at the object around it. */
export function refuses(validate: Validate, document: unknown, changes: readonly Change[]): void {
  for (const change of changes) {
    const result = validate(changed(document, change));
    const [pointer, value] = change;
    const place = value === ABSENT ? pointer.slice(0, pointer.lastIndexOf('/')) : pointer;
    assert.is(result.ok, false, `${shown(change)} was taken`);
    if (result.ok) continue;
    const [first] = result.faults;
    assert.ok(first?.pointer?.startsWith(place), `${shown(change)}: told at ${first?.pointer}`);
    assert.is(first?.code, 'ERR_SCHEMA');
    assert.ok(first?.expected, `${shown(change)}: nothing expected`);
  }
}
