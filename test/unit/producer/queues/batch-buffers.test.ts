import { describe, expect, it } from 'vitest'
import { BatchBuffers } from '../../../../src/producer/queues/batch-buffers.js'

const MIB = 1_048_576

/** Not by a matcher, which would look at millions of bytes for what it might say. */
const isSame = (one: Buffer, other: Buffer): boolean => one === other

describe('the buffers of batches', () => {
  it('are used again for what fits in', () => {
    const buffers = new BatchBuffers()
    const first = buffers.take(100_000)
    expect(first.length).toBeGreaterThanOrEqual(100_000)
    buffers.giveBack(first)
    expect(isSame(buffers.take(200_000), first)).toBe(true)
    expect(isSame(buffers.take(200_000), first)).toBe(false)
  })

  it('waste next to nothing on batches of the size that they have by default', () => {
    expect(new BatchBuffers().take(1_000_000)).toHaveProperty('length', MIB)
  })

  it('have room for what is expected where one is free, and are not made for it', () => {
    const buffers = new BatchBuffers()
    const small = buffers.take(100, MIB)
    expect(small.length).toBeLessThan(100_000)
    buffers.giveBack(buffers.take(MIB))
    expect(buffers.take(100, MIB)).toHaveProperty('length', MIB)
    buffers.giveBack(small)
    expect(isSame(buffers.take(100, MIB), small)).toBe(true)
    expect(buffers.take(MIB, 100)).toHaveProperty('length', MIB)
  })

  it('grow in large steps where they are larger than any that is kept, and are not kept then', () => {
    const buffers = new BatchBuffers()
    const large = buffers.take(4 * MIB + 1)
    expect(large).toHaveProperty('length', 8 * MIB)
    buffers.giveBack(large)
    expect(isSame(buffers.take(4 * MIB + 1), large)).toBe(false)
  })

  it('are kept up to 16 MiB', () => {
    const buffers = new BatchBuffers()
    const taken = Array.from({ length: 20 }, () => buffers.take(MIB))
    for (const buffer of taken) buffers.giveBack(buffer)
    const again = Array.from({ length: 20 }, () => buffers.take(MIB))
    expect(again.filter((buffer) => taken.includes(buffer))).toHaveLength(16)
  })
})
