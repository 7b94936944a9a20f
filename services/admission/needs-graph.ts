/** The graph of `needs`: an order in which every node stands behind what it needs, or a circle. Linear time. */
export type Ordered =
  | { readonly ok: true; readonly order: readonly string[] }
  | { readonly ok: false; readonly circle: readonly string[] };

/** Walks needs until a node repeats; every node left over by the sort lies on or behind a circle. */
function findCircle(left: ReadonlySet<string>, needs: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Map<string, number>();
  const path: string[] = [];
  let node = left.values().next().value;
  while (node !== undefined && !seen.has(node)) {
    seen.set(node, path.length);
    path.push(node);
    node = needs.get(node)?.find((need) => left.has(need));
  }
  return node === undefined ? path : [...path.slice(seen.get(node) ?? 0), node];
}

function pushTo(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Kahn's algorithm; ties keep the order of the map. Needs that name no node are ignored: they have their own fault. */
export function orderByNeeds(needs: ReadonlyMap<string, readonly string[]>): Ordered {
  const missing = new Map<string, number>();
  const dependants = new Map<string, string[]>();
  for (const [id, all] of needs) {
    const known = [...new Set(all)].filter((need) => needs.has(need));
    missing.set(id, known.length);
    for (const need of known) pushTo(dependants, need, id);
  }
  const order = [...needs.keys()].filter((id) => missing.get(id) === 0);
  for (const id of order) {
    for (const dependant of dependants.get(id) ?? []) {
      const left = (missing.get(dependant) ?? 0) - 1;
      missing.set(dependant, left);
      if (left === 0) order.push(dependant);
    }
  }
  if (order.length === needs.size) return { ok: true, order };
  const placed = new Set(order);
  const left = new Set([...needs.keys()].filter((id) => !placed.has(id)));
  return { ok: false, circle: findCircle(left, needs) };
}
