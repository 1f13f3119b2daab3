import { describe, expect, it } from 'vitest'
import { lz4Codec } from '../../../src/compression/lz4.js'
import { snappyCodec } from '../../../src/compression/snappy.js'
import { jsonLines } from './support.js'

describe.each([snappyCodec(null), lz4Codec(null)])('$name without its package', (codec) => {
  it('lets the event loop do other things between two blocks', async () => {
    let turns = 0
    const count = (): void => {
      turns++
      immediate = setImmediate(count)
    }
    let immediate = setImmediate(count)
    await codec.compress(jsonLines(640_000), { magic: 2 })
    clearImmediate(immediate)
    expect(turns).toBeGreaterThanOrEqual(9)
  })

  it('keeps inputs apart that are compressed at the same time', async () => {
    const inputs = [1, 2, 3, 4].map((seed) => jsonLines(200_000, seed))
    const compressed = await Promise.all(inputs.map(async (input) => codec.compress(input, { magic: 2 })))
    for (const [i, bytes] of compressed.entries())
      expect(codec.decompress(bytes, { magic: 2, maxOutputBytes: 200_000 }).equals(inputs[i] ?? Buffer.alloc(0))).toBe(
        true,
      )
  })
})
