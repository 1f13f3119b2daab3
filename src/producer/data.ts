import { types } from 'node:util'
import type { Data } from '../protocol/records/record.js'

/** What can be stored as it is: a string, null and {@link bytesOf}. Undefined for anything else. */
export function dataOf(value: unknown): Data | undefined {
  return typeof value === 'string' || value === null ? value : bytesOf(value)
}

/**
 * The bytes of a `Uint8Array`, `ArrayBuffer`, `SharedArrayBuffer` or `DataView` of any realm (Jest's environments have
 * their own), without a copy. Undefined for anything else.
 *
 * @throws TypeError where the bytes are gone: their buffer is detached, or has become too short for them
 */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (types.isUint8Array(value)) {
    // Both have the length 0 then; what has it rightly passes the check that comes with the call.
    if (value.length === 0) Uint8Array.prototype.keys.call(value)
    return value
  }
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value)
  if (types.isDataView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return undefined
}

/** Bytes of any kind copied, as the same kind; everything else as it is. */
export function copyOf<T>(value: T): T
export function copyOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value)
  if (types.isAnyArrayBuffer(value)) return value.slice(0)
  if (types.isDataView(value)) return new DataView(copyOf(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)).buffer) // prettier-ignore
  if (types.isTypedArray(value)) return value.slice()
  return value
}
