import Type from 'typebox';

/** Names of the runtimes that an execution can be scheduled on; events, plans and registry entries carry them. */
export const ADAPTERS = ['local', 'mock', 'modal', 'worker'] as const;
export const AdapterSchema = Type.Enum([...ADAPTERS]);
export type Adapter = (typeof ADAPTERS)[number];
