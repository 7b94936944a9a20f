/** Who a worker is, as NATS services say it (ADR-32). Pure. */

interface About {
  readonly name: string;
  readonly id: string;
  readonly version: string;
  readonly digest: string;
}

interface Serves {
  readonly refs: readonly string[];
  readonly slots: number;
  readonly namespaces: readonly string[];
}

interface Counts {
  readonly requests: number;
  readonly errors: number;
  readonly ms: number;
  readonly startedAt: Date;
}

const base = ({ name, id, version }: About, metadata: Readonly<Record<string, string>>) => ({
  name,
  id,
  version,
  metadata,
});

export const pong = (about: About) => ({
  type: 'io.nats.micro.v1.ping_response',
  ...base(about, { isomorph: '1', digest: about.digest }),
});

export const announcement = (about: About, { refs, slots, namespaces }: Serves) => ({
  type: 'io.nats.micro.v1.info_response',
  ...base(about, { isomorph: '1', digest: about.digest, processors: refs.join(','), slots: String(slots) }),
  description: 'an Isomorph worker',
  endpoints: namespaces.map((namespace) => ({
    name: `offer-${namespace}`,
    subject: `workers.to.${namespace}.${about.id}.offer`,
    queue_group: '',
    metadata: {},
  })),
});

/** Times are nanoseconds. */
export const stats = (about: About, { requests, errors, ms, startedAt }: Counts) => ({
  type: 'io.nats.micro.v1.stats_response',
  ...base(about, { isomorph: '1', digest: about.digest }),
  started: startedAt.toISOString(),
  endpoints: [
    {
      name: 'offer',
      subject: `workers.to.*.${about.id}.offer`,
      queue_group: '',
      num_requests: requests,
      num_errors: errors,
      last_error: '',
      processing_time: Math.round(ms * 1e6),
      average_processing_time: requests === 0 ? 0 : Math.round((ms * 1e6) / requests),
    },
  ],
});
