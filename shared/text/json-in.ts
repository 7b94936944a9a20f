/** The JSON document in bytes; undefined where there is none: the schema check that follows refuses that with its reason. */
export function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
