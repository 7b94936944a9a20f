import type { Socket } from 'node:net';
import { delay } from '../../shared/async/delay.ts';
import type { TellLimit } from '../../shared/async/limit-notice.ts';
import { ToldRate } from '../../shared/async/told-rate.ts';
import type { ErrorCode } from '../../shared/errors/codes.ts';
import { DEFAULT_LIMITS, type Limits } from '../common/config/limits.ts';

/** What one execution, and all together, may have of a gateway at once. */
export interface TrafficLimits {
  readonly connections: number;
  readonly connectionsOfOne: number;
  /** Requests in flight. */
  readonly inFlight: number;
  readonly inFlightOfOne: number;
  /** Of bodies, in both directions. */
  readonly bytesPerS: number;
  readonly bytesPerSOfOne: number;
  readonly requestsPerSOfOne: number;
}

export const trafficLimits = (config: Limits): TrafficLimits => ({
  connections: config.gatewayConnections,
  connectionsOfOne: config.gatewayConnectionsOfExecution,
  inFlight: config.gatewayInFlight,
  inFlightOfOne: config.gatewayInFlightOfExecution,
  bytesPerS: config.gatewayBytes,
  bytesPerSOfOne: config.gatewayBytesOfExecution,
  requestsPerSOfOne: config.gatewayRequestsOfExecution,
});

/** For a gateway that no configuration is read for. */
export const DEFAULT_TRAFFIC: TrafficLimits = trafficLimits(DEFAULT_LIMITS);

/** When who was refused for want of room may ask again. */
export const RETRY_AFTER = { 'retry-after': '1' } as const;

/** Whose traffic is counted together: an execution, or a URL that was given to none. */
interface Party {
  readonly name: string;
  readonly sockets: Set<Socket>;
  readonly bytes: ToldRate;
  readonly requests: ToldRate;
  inFlight: number;
  isBeingForgotten: boolean;
}

/** After this rest its rates are what they were at first: there is nothing to remember. */
const FORGET_MS = 2_000;

/** A request that was let in. */
export interface Passage {
  /** Resolves when so many bytes may pass. */
  pass(bytes: number): Promise<void>;
  end(): void;
}

export type Admission =
  | { readonly ok: true; readonly passage: Passage }
  | { readonly ok: false; readonly code: Extract<ErrorCode, 'ERR_BUSY' | 'ERR_UNAVAILABLE'> };

/**
 * Who has how much of the gateway. Too many requests of one are refused, too fast ones wait, and of too many connections
 * those give way first that nobody has shown a right on, then those that rest.
 */
export class Traffic {
  readonly #limits: TrafficLimits;
  readonly #tell: TellLimit;
  readonly #bytes: ToldRate;
  readonly #parties = new Map<string, Party>();
  /** Without a party: on its way to its first request, or of nobody. Oldest first; a request that ends makes it young. */
  readonly #unclaimed = new Set<Socket>();
  readonly #resting = new Map<Socket, Party>();
  readonly #busy = new Map<Socket, Party>();
  #inFlight = 0;

  constructor({ limits = DEFAULT_TRAFFIC, tell = () => undefined }: TrafficOptions = {}) {
    this.#limits = limits;
    this.#tell = tell;
    this.#bytes = this.#rate('gateway_bytes_per_s', 'all', limits.bytesPerS);
  }

  get connections(): number {
    return this.#unclaimed.size + this.#resting.size + this.#busy.size;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** A connection that was accepted. */
  opened(socket: Socket): void {
    this.#unclaimed.add(socket);
    socket.once('close', () => this.#closed(socket));
    const { connections } = this.#limits;
    this.#tell({ limit: 'gateway_connections', of: 'all', used: this.connections, most: connections });
    if (this.connections <= connections) return;
    const [oldest = socket] = this.#unclaimed;
    const [resting] = this.#resting.keys();
    this.#closed(oldest === socket ? (resting ?? socket) : oldest).destroy();
  }

  /** Lets a request of a party in; whoever is let in must `end`. */
  begin(socket: Socket, name: string): Admission {
    const { connectionsOfOne, inFlight, inFlightOfOne } = this.#limits;
    const party = this.#party(name);
    const isFull = party.inFlight >= inFlightOfOne;
    this.#tell({ limit: 'gateway_requests_in_flight', of: name, used: party.inFlight + 1, most: inFlightOfOne });
    // One of each is always let in, or who fills the gateway would keep the others out.
    const isFullForAll = this.#inFlight >= inFlight && party.inFlight > 0;
    this.#tell({ limit: 'gateway_requests_in_flight', of: 'all', used: this.#inFlight + 1, most: inFlight });
    if (isFull || isFullForAll) return { ok: false, code: isFull ? 'ERR_BUSY' : 'ERR_UNAVAILABLE' };
    this.#claim(socket, party);
    this.#tell({ limit: 'gateway_connections', of: name, used: party.sockets.size, most: connectionsOfOne });
    if (party.sockets.size > connectionsOfOne) this.#closeResting(party);
    party.inFlight += 1;
    this.#inFlight += 1;
    return { ok: true, passage: this.#passage(socket, party) };
  }

  #passage(socket: Socket, party: Party): Passage {
    let startMs = party.requests.take(1);
    let hasEnded = false;
    return {
      pass: async (bytes) => {
        const [own, all] = [party.bytes.take(bytes), this.#bytes.take(bytes)];
        const waitMs = Math.max(own, all, startMs);
        startMs = 0;
        if (waitMs > 0) await delay(waitMs);
      },
      end: () => {
        if (hasEnded) return;
        hasEnded = true;
        party.inFlight -= 1;
        this.#inFlight -= 1;
        if (this.#busy.delete(socket)) this.#resting.set(socket, party);
        this.#forgetLater(party);
      },
    };
  }

  #rate(limit: string, of: string, perS: number): ToldRate {
    return new ToldRate({ limit, of, perS, tell: this.#tell });
  }

  #claim(socket: Socket, party: Party): void {
    const before = this.#resting.get(socket) ?? this.#busy.get(socket);
    if (before !== undefined && before !== party) before.sockets.delete(socket);
    this.#unclaimed.delete(socket);
    this.#resting.delete(socket);
    // One that was closed meanwhile is not taken up again.
    if (socket.destroyed) return;
    party.sockets.add(socket);
    this.#busy.set(socket, party);
  }

  #closeResting(party: Party): void {
    for (const socket of party.sockets) {
      if (!this.#resting.has(socket)) continue;
      this.#closed(socket).destroy();
      return;
    }
  }

  #closed(socket: Socket): Socket {
    const party = this.#resting.get(socket) ?? this.#busy.get(socket);
    if (party?.sockets.delete(socket)) this.#forgetLater(party);
    this.#unclaimed.delete(socket);
    this.#resting.delete(socket);
    this.#busy.delete(socket);
    return socket;
  }

  #party(name: string): Party {
    const known = this.#parties.get(name);
    if (known !== undefined) return known;
    const { bytesPerSOfOne, requestsPerSOfOne } = this.#limits;
    const bytes = this.#rate('gateway_bytes_per_s', name, bytesPerSOfOne);
    const requests = this.#rate('gateway_requests_per_s', name, requestsPerSOfOne);
    const party: Party = { name, sockets: new Set(), bytes, requests, inFlight: 0, isBeingForgotten: false };
    this.#parties.set(name, party);
    return party;
  }

  /** What it owes is remembered even when its connections are closed. */
  #forgetLater(party: Party): void {
    if (party.isBeingForgotten) return;
    party.isBeingForgotten = true;
    const forget = (): void => {
      party.isBeingForgotten = false;
      // Who is there still is forgotten when its last connection has closed.
      if (party.inFlight > 0 || party.sockets.size > 0) return;
      if (party.bytes.tokens < 0 || party.requests.tokens < 0) this.#forgetLater(party);
      else this.#parties.delete(party.name);
    };
    setTimeout(forget, FORGET_MS).unref();
  }
}

export interface TrafficOptions {
  readonly limits?: TrafficLimits;
  readonly tell?: TellLimit;
}
