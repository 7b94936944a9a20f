/**
 * What `memory:` means: a store of one's own. `memory:<name>` is shared by all clients of this process and outlives
 * them; tests use that to close and open a client again.
 */
export function memoryStore<T>(stores: Map<string, T>, url: URL, create: () => T): T {
  const name = url.pathname;
  if (name === '') return create();
  return getOrAdd(stores, name, create);
}

export function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}
