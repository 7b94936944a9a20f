/** The services of a deployment, each a folder of `services/`. */
export const SERVICES = ['admission', 'dispatcher', 'settler', 'sampler', 'projector', 'gateway'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What a process can be told to be: a service, or the set-up that comes before them and ends. */
export const PROCESSES = [...SERVICES, 'setup'] as const;
export type ProcessName = (typeof PROCESSES)[number];
