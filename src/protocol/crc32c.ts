import { optionalPackage } from '../optional-package.js'

/**
 * CRC-32C (Castagnoli), the checksum of record batches. Eight table look-ups take in eight bytes at a time ("slicing by
 * 8"); where the optional native package is installed it does the large ones, from the size on where the call into
 * native code has paid for itself.
 */

const NATIVE_FROM_BYTES = 512

type NativeCrc32c = (bytes: Uint8Array) => number

/** undefined: not looked for yet; null: not there. */
let native: NativeCrc32c | null | undefined

function loadNative(): NativeCrc32c | null {
  return (optionalPackage('@node-rs/crc32') as { crc32c: NativeCrc32c } | null)?.crc32c ?? null
}

const TABLES = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    tables[byte] = crc
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = tables[byte] as number
    for (let slice = 1; slice < 8; slice++) {
      crc = (crc >>> 8) ^ (tables[crc & 0xff] as number)
      tables[slice * 256 + byte] = crc
    }
  }
  return tables
}

/** CRC-32C of `bytes[start, end)` as an unsigned integer. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (end - start >= NATIVE_FROM_BYTES) {
    if (native === undefined) native = loadNative()
    if (native !== null) return native(bytes.subarray(start, end)) >>> 0
  }
  return crc32cPortable(bytes, start, end)
}

/** The same without native code. */
export function crc32cPortable(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const t = TABLES
  let crc = -1
  let at = start
  for (const last = end - 8; at <= last; at += 8) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      (t[1792 + (crc & 0xff)] as number) ^
      (t[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (t[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number)
  }
  for (; at < end; at++) crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  return (crc ^ -1) >>> 0
}
