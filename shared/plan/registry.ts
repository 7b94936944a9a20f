import Type, { type Static } from 'typebox';
import { type Fault, fault } from '../errors/isomorph-error.ts';
import { AdapterSchema } from '../ids/adapter.ts';
import { PROCESSOR_REF } from '../ids/ids.ts';

const closed = { additionalProperties: false } as const;
const MicroDollars = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Largest output when the registry file sets none. */
export const DEFAULT_MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** What an event tells by name. */
const MAX_NAME_CHARACTERS = 256;

/** Events hold 256 characters of a reference, and the digest that admission adds has 72. */
const MAX_IMAGE_CHARACTERS = 184;

const OutputSchema = Type.Object(
  {
    path: Type.String({ minLength: 1, maxLength: 512, description: 'relative to the write prefix of the step' }),
    content_type: Type.String({
      maxLength: MAX_NAME_CHARACTERS,
      pattern: '^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?[a-z0-9-]+=[A-Za-z0-9_-]+)*$',
    }),
    required: Type.Boolean(),
    max_bytes: Type.Optional(Type.Integer({ minimum: 1, default: DEFAULT_MAX_OUTPUT_BYTES })),
  },
  closed,
);

const ArtifactInputSchema = Type.Object(
  { required: Type.Boolean(), description: Type.Optional(Type.String()) },
  closed,
);

/** One file under `registry/processors/`: what a processor is, may use and costs. */
export const ProcessorSchema = Type.Object(
  {
    ref: Type.String({ pattern: PROCESSOR_REF.source }),
    description: Type.String({ minLength: 1 }),
    image: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_IMAGE_CHARACTERS,
        description: 'OCI reference; a digest pins it. Not needed for workers alone',
      }),
    ),
    entrypoint: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Not needed for workers alone' }),
    ),
    runtime: Type.Object(
      {
        cpu: Type.Number({ exclusiveMinimum: 0, maximum: 128 }),
        memory_gb: Type.Number({ exclusiveMinimum: 0, maximum: 1024 }),
        gpu: Type.Optional(
          Type.Object(
            {
              model: Type.String({ minLength: 1, maxLength: MAX_NAME_CHARACTERS }),
              count: Type.Integer({ minimum: 1 }),
              mem_gb: Type.Number(),
            },
            closed,
          ),
        ),
        timeout_s: Type.Integer({ minimum: 1, maximum: 86_400 }),
        network: Type.Union([Type.Literal('none'), Type.Literal('artifacts'), Type.Literal('internet')]),
        scratch_volume_gb: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
      },
      closed,
    ),
    adapters: Type.Array(AdapterSchema, { minItems: 1, uniqueItems: true }),
    secrets: Type.Object({ required: Type.Array(Type.String({ pattern: '^[A-Z][A-Z0-9_]{0,127}$' })) }, closed),
    inputs: Type.Object(
      {
        artifacts: Type.Record(Type.String({ pattern: '^[a-z0-9_]{1,64}$' }), ArtifactInputSchema, closed),
        params: Type.Record(Type.String(), Type.Unknown(), { description: 'JSON Schema 2020-12 of params' }),
      },
      closed,
    ),
    outputs: Type.Array(OutputSchema),
    scratch: Type.Array(Type.Union([Type.Literal('kv'), Type.Literal('queue')]), { uniqueItems: true }),
    read_only: Type.Boolean({ description: 'reserves no budget' }),
    cost: Type.Object({ usd_micro_fixed: MicroDollars, usd_micro_per_s: MicroDollars }, closed),
  },
  { ...closed, $id: 'https://isomorph.dev/schemas/processor.json' },
);

/** As its file says. */
export type ProcessorFile = Static<typeof ProcessorSchema>;
/** With its defaults. */
export type Processor = ProcessorFile & Required<Pick<ProcessorFile, 'image' | 'entrypoint'>>;

/** What workers alone run has no image: it goes by its own name, and nothing is started for it. */
export const withDefaults = (file: ProcessorFile): Processor => ({
  ...file,
  image: file.image ?? file.ref,
  entrypoint: file.entrypoint ?? [],
});

/** Why nothing could be started for a processor. */
export function unstartableFaults({ adapters, image, entrypoint }: ProcessorFile): Fault[] {
  const starter = adapters.find((adapter) => adapter !== 'worker');
  if (starter === undefined) return [];
  return Object.entries({ image, entrypoint })
    .filter(([, value]) => value === undefined)
    .map(([name]) => {
      const place = { pointer: `/${name}`, expected: 'one, or nothing but worker in /adapters' };
      return fault('ERR_SCHEMA', `${starter} needs an ${name} to start`, place);
    });
}

export type ProcessorOutput = Static<typeof OutputSchema>;

/** One file under `registry/policies/`. In selectors `{plan_id}` stands for the id of the plan. */
export const PolicySchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }),
    description: Type.String({ minLength: 1 }),
    read: Type.Array(Type.String(), { description: 'selectors that inputs and predicates may name' }),
    write: Type.Array(Type.String(), { description: 'selectors that write prefixes must lie under' }),
    adapters: Type.Array(AdapterSchema, { minItems: 1 }),
    secrets: Type.Array(Type.String(), { description: 'names of secrets that processors may use; * is any' }),
    max_budget_usd_micro: MicroDollars,
    max_steps: Type.Integer({ minimum: 1 }),
  },
  { ...closed, $id: 'https://isomorph.dev/schemas/policy.json' },
);

export type Policy = Static<typeof PolicySchema>;
