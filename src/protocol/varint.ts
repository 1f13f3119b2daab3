/**
 * Variable-length integers as in Protocol Buffers: seven bits a byte, lowest first. Signed values are zigzag-encoded
 * first (0, -1, 1, -2 … become 0, 1, 2, 3 …). Kafka's records use the signed kind, its flexible versions the unsigned.
 */

/** Bytes of an unsigned varint; `value` is taken as 32 bits unsigned. */
export function sizeOfUnsignedVarint(value: number): number {
  const v = value >>> 0
  if (v < 0x80) return 1
  if (v < 0x4000) return 2
  if (v < 0x200000) return 3
  return v < 0x10000000 ? 4 : 5
}

/** Bytes of a zigzag varint of a 32-bit signed integer. */
export function sizeOfVarint(value: number): number {
  return sizeOfUnsignedVarint((value << 1) ^ (value >> 31))
}

/** Bytes of a zigzag varint of a 64-bit signed integer, given as a safe integer. */
export function sizeOfVarlong(value: number): number {
  let magnitude = value < 0 ? -(value + 1) : value
  let size = 1
  for (magnitude = Math.floor(magnitude / 64); magnitude > 0; magnitude = Math.floor(magnitude / 128)) size++
  return size
}

/** Writes a zigzag varint of a 32-bit signed integer; returns where it ends. The buffer must have room. */
export function putVarint(buffer: Uint8Array, start: number, value: number): number {
  let at = start
  let v = ((value << 1) ^ (value >> 31)) >>> 0
  while (v > 0x7f) {
    buffer[at++] = (v & 0x7f) | 0x80
    v >>>= 7
  }
  buffer[at++] = v
  return at
}

/** The same of a 64-bit signed integer, given as a safe integer. */
export function putVarlong(buffer: Uint8Array, start: number, value: number): number {
  if (value >> 0 === value) return putVarint(buffer, start, value)
  const negative = value < 0
  const magnitude = negative ? -(value + 1) : value
  let at = start
  buffer[at++] = (magnitude % 64) * 2 + (negative ? 0x81 : 0x80)
  let rest = Math.floor(magnitude / 64)
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 0x80
  buffer[at++] = rest
  return at
}
