/** What the soak leaves out, because it is known and waits for issue J. `--with <name>` puts one in, `--with all` all of them. */

export const KNOWN_LIMITS = {
  'sleeper-replaces':
    'known, until J: a dispatcher that slept through its lease may replace bytes of a settled artifact (outputs are the same in every attempt)',
  'work-given-up': 'known, until J: an execution whose WORK message is gone stays open (no message of WORK is deleted)',
  'orderly-stop':
    'known, until J: the orderly stop of one of two dispatchers runs a step twice and charges it nothing (dispatchers are killed, paused and cut off, not stopped)',
  'gateway-restart': 'known, until J: a gateway that is away fails the steps that need it (the gateway is not killed)',
  'lost-cancel':
    'known, until J: a cancellation that comes while a dispatcher is cut off ends its run when the connection is back and the message is delivered again (no bound on how long a cancelled plan takes beside a cut)',
  'kept-marks':
    'known (ADR 51): marks of ended messages stay in the streams of queues for a day, also when their plan is purged (they are not counted as left behind)',
  'killed-writes':
    'known (ADR 8): what a killed process was writing into the file store stays in its folder for temporary files until a sweep (files of living processes are held against them)',
} as const;

export type KnownLimit = keyof typeof KNOWN_LIMITS;

export const KNOWN_NAMES = Object.keys(KNOWN_LIMITS) as readonly KnownLimit[];

export const isOn = (on: readonly KnownLimit[], name: KnownLimit): boolean => on.includes(name);
