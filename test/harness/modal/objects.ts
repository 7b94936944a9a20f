import { status } from '@grpc/grpc-js';
import { invalid, notFound, RpcError } from './rpc.ts';

/** `ObjectCreationType` of the proto. */
const CREATE = { lookup: 0, ifMissing: 1, failIfExists: 2, overwrite: 3, ephemeral: 5 };
const NAME = /^[A-Za-z0-9._-]{1,64}$/;

export interface ObjectRequest {
  readonly deployment_name: string;
  readonly environment_name: string;
  readonly object_creation_type: number;
}

/** Named objects of one kind in their environments, as Modal keeps them: by id, found by name. */
export class NamedObjects<T> {
  readonly #prefix: string;
  readonly #make: () => T;
  readonly #byId = new Map<string, { readonly name: string; readonly object: T }>();
  readonly #ids = new Map<string, string>();
  #made = 0;

  constructor(prefix: string, make: () => T) {
    this.#prefix = prefix;
    this.#make = make;
  }

  /** The id of what a request names. @throws RpcError as the object creation type says */
  getOrCreate({ deployment_name, environment_name, object_creation_type }: ObjectRequest): string {
    if (object_creation_type === CREATE.ephemeral) return this.#create(undefined);
    if (!NAME.test(deployment_name)) throw invalid(`"${deployment_name}" is no name`);
    const name = `${environment_name || 'main'}/${deployment_name}`;
    const known = this.#ids.get(name);
    switch (object_creation_type) {
      case CREATE.lookup:
        if (known === undefined) throw notFound(deployment_name);
        return known;
      case CREATE.ifMissing:
        return known ?? this.#create(name);
      case CREATE.failIfExists:
        if (known !== undefined) throw new RpcError(status.ALREADY_EXISTS, `${deployment_name} exists`);
        return this.#create(name);
      case CREATE.overwrite:
        if (known !== undefined) this.delete(known);
        return this.#create(name);
      default:
        throw invalid(`object creation type ${object_creation_type}`);
    }
  }

  /** @throws RpcError NOT_FOUND */
  get(id: string): T {
    const found = this.#byId.get(id);
    if (found === undefined) throw notFound(id);
    return found.object;
  }

  /** @throws RpcError NOT_FOUND */
  delete(id: string): void {
    const found = this.#byId.get(id);
    if (found === undefined) throw notFound(id);
    this.#byId.delete(id);
    if (this.#ids.get(found.name) === id) this.#ids.delete(found.name);
  }

  get count(): number {
    return this.#byId.size;
  }

  #create(name: string | undefined): string {
    const id = `${this.#prefix}-${++this.#made}`;
    this.#byId.set(id, { name: name ?? id, object: this.#make() });
    if (name !== undefined) this.#ids.set(name, id);
    return id;
  }
}
