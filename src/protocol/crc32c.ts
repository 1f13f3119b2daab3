import { optionalPackage } from '../optional-package.js'

/**
 * CRC-32C (Castagnoli), the checksum of record batches. Sixteen table look-ups take in sixteen bytes at a time ("slicing
 * by 16"), which are read as four integers; where the optional native package is installed it does the large ones, from
 * the size on where the call into native code has paid for itself.
 */

const NATIVE_FROM_BYTES = 512

type NativeCrc32c = (bytes: Uint8Array) => number

/** undefined: not looked for yet; null: not there. */
let native: NativeCrc32c | null | undefined

function loadNative(): NativeCrc32c | null {
  return (optionalPackage('@node-rs/crc32') as { crc32c: NativeCrc32c } | null)?.crc32c ?? null
}

/** 16 tables of 256: what a byte does to the checksum when 0 to 15 bytes follow it. */
const TABLES = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    tables[byte] = crc
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = tables[byte] as number
    for (let slice = 1; slice < 16; slice++) {
      crc = (crc >>> 8) ^ (tables[crc & 0xff] as number)
      tables[slice * 256 + byte] = crc
    }
  }
  return tables
}

/** The first byte of an integer counts least. */
const IS_LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1

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
  // Integers are read where they are aligned, and in the order that the checksum wants.
  const aligned = start + (-(bytes.byteOffset + start) & 3)
  const quads = IS_LITTLE_ENDIAN ? Math.floor((end - aligned) / 16) : 0
  if (quads <= 0) return (takeInBytes(-1, bytes, start, end) ^ -1) >>> 0
  let crc = takeInBytes(-1, bytes, start, aligned)
  crc = takeInQuads(crc, new Int32Array(bytes.buffer, bytes.byteOffset + aligned, 4 * quads))
  return (takeInBytes(crc, bytes, aligned + 16 * quads, end) ^ -1) >>> 0
}

function takeInBytes(before: number, bytes: Uint8Array, start: number, end: number): number {
  const t = TABLES
  let crc = before
  for (let at = start; at < end; at++) crc = (t[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  return crc
}

/** Four integers at a time. What the checksum so far has no part in comes first: the processor does it ahead. */
function takeInQuads(before: number, words: Int32Array): number {
  const t = TABLES
  let crc = before
  for (let at = 0; at < words.length; at += 4) {
    const a = crc ^ (words[at] as number)
    const b = words[at + 1] as number
    const c = words[at + 2] as number
    const d = words[at + 3] as number
    crc =
      (t[2816 + (b & 0xff)] as number) ^
      (t[2560 + ((b >>> 8) & 0xff)] as number) ^
      (t[2304 + ((b >>> 16) & 0xff)] as number) ^
      (t[2048 + (b >>> 24)] as number) ^
      (t[1792 + (c & 0xff)] as number) ^
      (t[1536 + ((c >>> 8) & 0xff)] as number) ^
      (t[1280 + ((c >>> 16) & 0xff)] as number) ^
      (t[1024 + (c >>> 24)] as number) ^
      (t[768 + (d & 0xff)] as number) ^
      (t[512 + ((d >>> 8) & 0xff)] as number) ^
      (t[256 + ((d >>> 16) & 0xff)] as number) ^
      (t[d >>> 24] as number) ^
      (t[3840 + (a & 0xff)] as number) ^
      (t[3584 + ((a >>> 8) & 0xff)] as number) ^
      (t[3328 + ((a >>> 16) & 0xff)] as number) ^
      (t[3072 + (a >>> 24)] as number)
  }
  return crc
}
