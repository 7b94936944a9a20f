import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const Least = Type.Integer({ minimum: 1 });
const Wanted = Type.Literal(true);

/** What a step needs of the scratch backends beyond their contracts. Numbers are the least that will do. */
export const RequirementsSchema = Type.Object(
  {
    kv: Type.Optional(
      Type.Object(
        {
          ttl: Type.Optional(Type.Union([Type.Literal('s'), Type.Literal('ms')], { description: 'the finest unit' })),
          max_value_bytes: Type.Optional(Least),
          durable: Type.Optional(Wanted),
        },
        closed,
      ),
    ),
    queue: Type.Optional(
      Type.Object(
        {
          visibility: Type.Optional(Type.Literal('per-call')),
          dedupe_s: Type.Optional(Least),
          dedupe_survives_restart: Type.Optional(Wanted),
          redeliver_after_ack: Type.Optional(
            Type.Literal(false, { description: 'an acked message never comes again' }),
          ),
          ordering: Type.Optional(Type.Literal('approximate')),
          max_body_bytes: Type.Optional(Least),
          max_delay_s: Type.Optional(Least),
          max_visibility_s: Type.Optional(Least),
          exact_stats: Type.Optional(Wanted),
          refuses_used_receipts: Type.Optional(Wanted),
          durable: Type.Optional(Wanted),
        },
        closed,
      ),
    ),
  },
  closed,
);

export type Requirements = Static<typeof RequirementsSchema>;

/** A backend's capabilities as its driver declares them; `shared/scratch/capabilities.ts` names them. */
export type Capabilities = object;

/** Coarse to fine. */
const TTL_UNITS = ['none', 's', 'ms'];

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function isMet(name: string, wanted: unknown, offered: unknown): boolean {
  if (name === 'ttl') return TTL_UNITS.indexOf(String(offered)) >= TTL_UNITS.indexOf(String(wanted));
  if (typeof wanted === 'number') return typeof offered === 'number' && offered >= wanted;
  return offered === wanted;
}

interface Unmet {
  /** As the plan has it. */
  readonly name: string;
  readonly wanted: unknown;
  readonly offered: unknown;
}

/** The wanted capabilities that are not offered. */
export function unmet(wanted: Readonly<Record<string, unknown>>, offered: Capabilities): Unmet[] {
  const capabilities = new Map<string, unknown>(Object.entries(offered));
  return Object.entries(wanted)
    .map(([name, value]) => ({ name, wanted: value, offered: capabilities.get(camelCase(name)) }))
    .filter((one) => !isMet(one.name, one.wanted, one.offered));
}
