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
