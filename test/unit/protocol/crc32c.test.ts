import { describe, expect, it } from 'vitest'
import { crc32c, crc32cPortable } from '../../../src/protocol/crc32c.js'

/** The definition, a bit at a time. */
function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

function pseudoRandom(length: number): Buffer {
  let state = length + 1
  return Buffer.from(Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24))
}

const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const iscsiRead = Buffer.from(
  '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000',
  'hex',
)

describe.each([
  ['crc32c', crc32c],
  ['crc32cPortable', crc32cPortable],
] as const)('%s', (_name, crc) => {
  // RFC 3720, B.4, which prints the bytes of each sum lowest first.
  it.each([
    ['32 bytes of zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['32 bytes ascending', ascending, 0x46dd794e],
    ['32 bytes descending', Buffer.from(ascending).reverse(), 0x113fdb5c],
    ['an iSCSI SCSI read', iscsiRead, 0xd9963a56],
    ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
  ])('gives the known sum of %s', (_what, bytes, sum) => {
    expect(crc(bytes)).toBe(sum)
  })

  it('agrees with the definition at every length up to 64, and every alignment', () => {
    for (let length = 0; length <= 64; length++) {
      const bytes = pseudoRandom(length + 16)
      for (let start = 0; start < 16; start++) {
        expect(crc(bytes, start, start + length)).toBe(crc32cBitwise(bytes.subarray(start, start + length)))
      }
    }
  })

  // From 512 bytes on the native package takes over where it is installed.
  it.each([511, 512, 513, 4096, 100_003])('agrees with the definition over %i bytes', (length) => {
    const bytes = pseudoRandom(length + 3)
    expect(crc(bytes, 3)).toBe(crc32cBitwise(bytes.subarray(3)))
    expect(crc(bytes, 1, length)).toBe(crc32cBitwise(bytes.subarray(1, length)))
  })
})
