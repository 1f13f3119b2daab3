const SEED = 0x9747b28c
const M = 0x5bd1e995

/**
 * The hash that places keys in Java's producer since 0.8.2 (`org.apache.kafka.common.utils.Utils.murmur2`): MurmurHash2
 * with Kafka's own seed.
 *
 * @param key bytes, or a string whose UTF-8 is meant. ASCII strings, the usual keys, are hashed without making bytes.
 * @returns 32 bits, signed; Kafka clears the sign bit before it takes the remainder.
 */
export function murmur2(key: Uint8Array | string): number {
  return typeof key === 'string' ? ofString(key) : ofBytes(key)
}

function ofBytes(bytes: Uint8Array): number {
  const length = bytes.length
  const blocksEnd = length & ~3
  let h = SEED ^ length
  // The ?? 0 are never taken: they tell the compiler that the index is in range.
  for (let i = 0; i < blocksEnd; i += 4) {
    h = mix(h, (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24))
  }
  let tail = 0
  for (let i = blocksEnd; i < length; i++) tail |= (bytes[i] ?? 0) << ((i & 3) << 3)
  return finish(h, tail, length)
}

function ofString(text: string): number {
  const length = text.length
  const blocksEnd = length & ~3
  let h = SEED ^ length
  for (let i = 0; i < blocksEnd; i += 4) {
    const a = text.charCodeAt(i)
    const b = text.charCodeAt(i + 1)
    const c = text.charCodeAt(i + 2)
    const d = text.charCodeAt(i + 3)
    if ((a | b | c | d) > 0x7f) return ofBytes(Buffer.from(text))
    h = mix(h, a | (b << 8) | (c << 16) | (d << 24))
  }
  let tail = 0
  for (let i = blocksEnd; i < length; i++) {
    const a = text.charCodeAt(i)
    if (a > 0x7f) return ofBytes(Buffer.from(text))
    tail |= a << ((i & 3) << 3)
  }
  return finish(h, tail, length)
}

/** Takes in four bytes, read little-endian. */
function mix(h: number, block: number): number {
  const k = Math.imul(block, M)
  return Math.imul(h, M) ^ Math.imul(k ^ (k >>> 24), M)
}

/** Takes in the last bytes, none to three. */
function finish(hash: number, tail: number, length: number): number {
  let h = (length & 3) === 0 ? hash : Math.imul(hash ^ tail, M)
  h = Math.imul(h ^ (h >>> 13), M)
  return h ^ (h >>> 15)
}
