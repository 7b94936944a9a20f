/** The services of a deployment, each a folder of `services/`. */
export const SERVICES = ['admission', 'dispatcher', 'settler', 'sampler', 'projector'] as const;
export type ServiceName = (typeof SERVICES)[number];
