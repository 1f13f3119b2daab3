/**
 * Finds what repeats, for snappy and lz4 where their native packages are not installed. Both formats are made of the
 * same two things, bytes as they are and copies of what came up to 64 KB before; they only write them down differently.
 */

/** Blocks are compressed each for itself, and so every offset fits 16 bits. */
export const BLOCK_BYTES = 64 * 1024

const MIN_MATCH = 4
/** lz4 wants the last match to begin this far from the end, and the last bytes to be literals. */
const MATCH_START_MARGIN = 12
const MATCH_END_MARGIN = 5

const MAX_HASH_BITS = 14
/** Where nothing repeats, steps grow by one for every so many misses. */
const MISSES_PER_STEP_BITS = 6

/** Its memory is used again by every call; a caller is done with one block's copies before it asks for the next. */
export class MatchFinder {
  /** Triples: literals before the copy, length of the copy, and how far back it is. */
  readonly copies = new Int32Array(3 * Math.ceil(BLOCK_BYTES / MIN_MATCH))
  /** The last place, from the block's start, where four bytes with this hash stood. */
  private readonly lastSeen = new Uint16Array(1 << MAX_HASH_BITS)

  /** Fills {@link copies} for the block `input[start, end)`; returns how many numbers are there. */
  find(input: Uint8Array, start: number, end: number): number {
    const { copies, lastSeen } = this
    const hashBits = Math.min(MAX_HASH_BITS, Math.max(8, 32 - Math.clz32(end - start)))
    const shift = 32 - hashBits
    lastSeen.fill(0, 0, 1 << hashBits)
    const lastMatchStart = end - MATCH_START_MARGIN
    const matchEnd = end - MATCH_END_MARGIN
    let found = 0
    let literalsFrom = start
    let misses = 0
    let at = start + 1
    while (at <= lastMatchStart) {
      const four = fourBytes(input, at)
      const slot = Math.imul(four, 0x9e3779b1) >>> shift
      let from = start + (lastSeen[slot] as number)
      lastSeen[slot] = at - start
      if (from >= at || fourBytes(input, from) !== four) {
        at += 1 + (misses++ >> MISSES_PER_STEP_BITS)
        continue
      }
      misses = 0
      let to = at + MIN_MATCH
      for (let next = from + MIN_MATCH; to < matchEnd && input[to] === input[next]; to++) next++
      while (at > literalsFrom && from > start && input[at - 1] === input[from - 1]) {
        at--
        from--
      }
      copies[found++] = at - literalsFrom
      copies[found++] = to - at
      copies[found++] = at - from
      literalsFrom = at = to
      if (at <= lastMatchStart) lastSeen[Math.imul(fourBytes(input, at - 2), 0x9e3779b1) >>> shift] = at - 2 - start
    }
    return found
  }
}

function fourBytes(input: Uint8Array, at: number): number {
  return (
    (input[at] as number) |
    ((input[at + 1] as number) << 8) |
    ((input[at + 2] as number) << 16) |
    ((input[at + 3] as number) << 24)
  )
}

/** Most runs are so short that a call to copy them costs more than copying. */
const SHORT_RUN = 32

/** Copies `count` bytes from one place to another; of the same buffer where `from` is `to`. Overlapping ones repeat. */
export function copyRun(from: Uint8Array, at: number, to: Uint8Array, toAt: number, count: number): void {
  if (count > SHORT_RUN && (from !== to || toAt - at >= count)) {
    if (from === to) to.copyWithin(toAt, at, at + count)
    else to.set(from.subarray(at, at + count), toAt)
    return
  }
  for (let i = 0; i < count; i++) to[toAt + i] = from[at + i] as number
}
