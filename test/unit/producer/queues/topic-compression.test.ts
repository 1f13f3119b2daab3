import { describe, expect, it } from 'vitest'
import { Codecs } from '../../../../src/compression/codec.js'
import { TopicCompression } from '../../../../src/producer/queues/topic-compression.js'

const BATCH_BYTES = 1_000_000

function compression() {
  return new TopicCompression(new Codecs().get('gzip'), undefined, undefined, BATCH_BYTES, true)
}

/** Sends batches of one size; of each, whether the codec was tried. */
function batches(topic: TopicCompression, count: number, bytes: number, ratio: number): boolean[] {
  return Array.from({ length: count }, () => {
    const isTried = topic.isWorthTrying(bytes)
    if (isTried) topic.observe(bytes, bytes * ratio)
    return isTried
  })
}

const count = (tries: readonly boolean[]) => tries.filter(Boolean).length

describe('a codec', () => {
  it('that makes batches smaller is tried for each', () => {
    expect(count(batches(compression(), 100, 10_000, 0.9))).toBe(100)
  })

  it.each([0.99, 1, 1.01])('that leaves %d of a batch is tried ever less often, but always again', (ratio) => {
    const topic = compression()
    const tries = batches(topic, 500, 10_000, ratio)
    const places = tries.flatMap((isTried, i) => (isTried ? i : []))
    expect(places.slice(0, 8)).toEqual([0, 2, 6, 14, 30, 62, 94, 126])
    expect(count(batches(topic, 3_200, 10_000, ratio))).toBe(100)
  })

  it('is tried for each batch again once it gains', () => {
    const topic = compression()
    batches(topic, 500, 10_000, 1)
    const tries = batches(topic, 100, 10_000, 0.5)
    const first = tries.indexOf(true)
    expect(first).toBeLessThan(32)
    expect(count(tries)).toBe(100 - first)
    // What came before is forgotten: from the first batch without gain on it goes as it did at first.
    expect(batches(topic, 3, 10_000, 1)).toEqual([true, false, true])
  })

  it('that gains nothing on lone messages is tried for large batches all the same', () => {
    const topic = compression()
    batches(topic, 500, 100, 1)
    expect(batches(topic, 1, 10_000, 0.2)).toEqual([true])
  })

  it('is always tried where a batch has more than goes into a request as it is', () => {
    const topic = compression()
    batches(topic, 500, BATCH_BYTES, 1)
    expect(count(batches(topic, 5, BATCH_BYTES + 1, 1))).toBe(5)
  })
})

describe('the size of a batch', () => {
  it('leaves room for what is compressed a little less than what was like it', () => {
    const topic = compression()
    let largest = 0
    for (let i = 0; i < 500; i++) {
      const ratio = 0.4 + (i % 2) * 0.005
      const { plainBytes } = topic
      if (i > 0) largest = Math.max(largest, plainBytes * ratio)
      topic.observe(plainBytes, plainBytes * ratio)
    }
    expect(largest).toBeLessThanOrEqual(BATCH_BYTES)
    expect(topic.plainBytes * 0.4).toBeGreaterThan(BATCH_BYTES * 0.95)
  })
})
