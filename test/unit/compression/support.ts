import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { Codecs, type Codec } from '../../../src/compression/codec.js'
import { lz4Codec } from '../../../src/compression/lz4.js'
import { snappyCodec } from '../../../src/compression/snappy.js'
import { CorruptRecordsError } from '../../../src/errors.js'

export const require = createRequire(import.meta.url)

/** node:zlib has it from 22.15 and 23.8 on. */
export const nodeHasZstd = 'zstdDecompressSync' in zlib

/** All that can both compress and decompress here, with what makes them differ. */
export function everyCodec(): (readonly [string, Codec])[] {
  const codecs = new Codecs()
  return [
    ['gzip', codecs.get('gzip')],
    ['snappy with its package', codecs.get('snappy')],
    ['snappy without', snappyCodec(null)],
    ['lz4 with its package', codecs.get('lz4')],
    ['lz4 without', lz4Codec(null)],
    ...(nodeHasZstd ? [['zstd', codecs.get('zstd')] as const] : []),
  ]
}

/** The same numbers each time. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export function jsonLines(size: number, seed = 1): Buffer {
  const random = randomNumbers(seed)
  const lines: string[] = []
  for (let length = 0; length < size; length += lines.at(-1)?.length ?? 0) {
    const status = ['open', 'paid', 'shipped', 'cancelled'][random(4)]
    lines.push(
      `${JSON.stringify({ id: random(1e9), user: `user-${random(5000)}`, status, amount: random(1e6) / 100, at: 1.7e12 + random(1e9) })}\n`,
    )
  }
  return Buffer.from(lines.join('').slice(0, size))
}

export function randomBytes(size: number, seed = 1): Buffer {
  const random = randomNumbers(seed)
  return Buffer.from(Array.from({ length: size }, () => random(256)))
}

/** The output; undefined where the bytes are refused. Anything thrown but the one error is a failure. */
export function decompressOrReject(
  codec: Codec,
  bytes: Uint8Array,
  magic = 2,
  maxOutputBytes = 1 << 20,
): Buffer | undefined {
  try {
    const output = codec.decompress(bytes, { magic, maxOutputBytes })
    if (output.length > maxOutputBytes) throw new Error(`${output.length} bytes, ${maxOutputBytes} allowed`)
    return output
  } catch (error) {
    if (error instanceof CorruptRecordsError) return undefined
    throw error
  }
}
