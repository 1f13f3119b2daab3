import type { Spoiling } from './faults.js'

const HUGE = 0x7fffffff

/** A response frame as a broken peer might send it. */
export function spoil(frame: Buffer, how: Spoiling): Buffer {
  const bytes = Buffer.from(frame)
  switch (how) {
    case 'noise':
      // The size and the correlation id are right, so that the body is what the client stumbles over.
      for (let at = 8; at < bytes.length; at++) bytes[at] = (at * 197 + 255) & 0xff
      return bytes
    case 'wrong-correlation-id':
      // A token that goes bare has none.
      if (bytes.length < 8) return bytes
      bytes.writeInt32BE((bytes.readInt32BE(4) ^ 0x5a5a5a5a) | 0, 4)
      return bytes
    case 'huge-length':
      bytes.writeInt32BE(HUGE, 0)
      return bytes
    case 'negative-length':
      bytes.writeInt32BE(-1, 0)
      return bytes
    case 'short-body': {
      const short = bytes.subarray(0, Math.max(8, bytes.length - 3))
      short.writeInt32BE(short.length - 4, 0)
      return short
    }
  }
}
