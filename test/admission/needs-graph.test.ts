import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { orderByNeeds } from '../../services/admission/needs-graph.ts';
import { suite } from '../harness/suite.ts';

const test = suite('graph of needs');

type Graph = ReadonlyMap<string, readonly string[]>;

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** Any graph of few nodes, with double edges, edges to itself and edges to nowhere. */
const graphs: fc.Arbitrary<Graph> = fc
  .array(fc.array(fc.constantFrom(...NAMES, 'nowhere'), { maxLength: 3 }), { maxLength: NAMES.length })
  .map((needs) => new Map(needs.map((list, index) => [NAMES[index] ?? '', list])));

/** Naive: whether a node is reached from itself. */
function hasCircle(graph: Graph): boolean {
  const reaches = (from: string, target: string, seen: Set<string>): boolean =>
    (graph.get(from) ?? []).some((next) => {
      if (next === target) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, target, seen);
    });
  return [...graph.keys()].some((node) => reaches(node, node, new Set()));
}

test('a circle is found if and only if there is one', () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      assert.is(orderByNeeds(graph).ok, !hasCircle(graph));
    }),
    { numRuns: 2_000 },
  );
});

test('an order has every step once, each behind all that it needs', () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const ordered = orderByNeeds(graph);
      if (!ordered.ok) return;
      assert.equal([...ordered.order].sort(), [...graph.keys()].sort());
      for (const [index, id] of ordered.order.entries()) {
        for (const need of graph.get(id) ?? []) {
          if (graph.has(need)) assert.ok(ordered.order.indexOf(need) < index, `${id} stands before ${need}`);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a circle that is told is one: each step needs the next, and it ends where it began', () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const ordered = orderByNeeds(graph);
      if (ordered.ok) return;
      const { circle } = ordered;
      assert.ok(circle.length >= 2);
      assert.is(circle[0], circle.at(-1));
      for (const [index, id] of circle.slice(0, -1).entries()) {
        assert.ok(graph.get(id)?.includes(circle[index + 1] ?? ''), circle.join(' → '));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('steps that do not depend on each other keep the order of the plan', () => {
  const graph = new Map([
    ['z', []],
    ['m', []],
    ['a', ['m']],
    ['b', []],
  ]);
  assert.equal(orderByNeeds(graph), { ok: true, order: ['z', 'm', 'b', 'a'] });
});

test('a chain and a ring of 10,000 steps are told apart', () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `s${index}`);
  // Given in the worst order: each step stands before the one that it needs.
  const chain = new Map(ids.map((id, index) => [id, ids.slice(index + 1, index + 2)]));
  const ordered = orderByNeeds(chain);
  assert.equal(ordered, { ok: true, order: ids.toReversed() });
  const ring = orderByNeeds(chain.set('s9999', ['s0']));
  assert.is(ring.ok, false);
  if (!ring.ok) assert.is(ring.circle.length, 10_001);
});

test.run();
