import { types } from 'node:util'
import type { Data } from '../../protocol/records/record.js'

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
    checkAreThere(value)
    return value
  }
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value)
  if (types.isDataView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return undefined
}

/**
 * Of those that are gone none can be read, whatever V8 of Node 20 and 22 makes of their length; what has none rightly passes the
 * check that comes with the call.
 */
function checkAreThere(bytes: Uint8Array): void {
  if (bytes[0] === undefined) Uint8Array.prototype.keys.call(bytes)
}

/**
 * Bytes of any kind copied, as the same kind; everything else as it is.
 *
 * @throws TypeError where the bytes are gone
 */
export function copyOf<T>(value: T): T
export function copyOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) {
    checkAreThere(value)
    return Buffer.from(value)
  }
  // V8 takes what it makes of a shared one that has none for the same, and throws.
  if (types.isSharedArrayBuffer(value) && value.byteLength === 0) return new SharedArrayBuffer(0)
  if (types.isAnyArrayBuffer(value)) return value.slice(0)
  if (types.isDataView(value)) return new DataView(copyOf(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)).buffer) // prettier-ignore
  // The language's, which is one for all: what a class has by that name may give a view, as that of npm's Buffer does.
  if (types.isTypedArray(value)) return Uint8Array.prototype.slice.call(value)
  return value
}
