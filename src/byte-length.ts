import { types } from 'node:util'

/** How many bytes were given; undefined for what is none, and for such as are gone. */
export function byteLengthOf(given: unknown): number | undefined {
  if (typeof given !== 'object' || given === null) return undefined
  try {
    return ArrayBuffer.isView(given) || types.isAnyArrayBuffer(given) ? given.byteLength : undefined
  } catch {
    // A DataView's, whose buffer is detached.
    return undefined
  }
}
