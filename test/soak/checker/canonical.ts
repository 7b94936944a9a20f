/** RFC 8785 and content ids, written again from the standards for the checker alone. Pure. */
import { blake3 } from '@noble/hashes/blake3.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one as Json)}`).join(',')}}`;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export const cid = (bytes: Uint8Array): string => `blake3:${bytesToHex(blake3(bytes))}`;
export const cidOfText = (text: string): string => cid(utf8(text));
export const sha256Hex = (bytes: Uint8Array): string => bytesToHex(sha256(bytes));
