import * as zlib from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { kcat } from './support/kcat.js'

const CODECS = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
/** Releases with the record formats 0, 1 and 2. */
const CASES = [
  ['0.8.2', 'gzip', 0],
  ['0.8.2', 'snappy', 0],
  ['0.10.2', 'gzip', 1],
  ['0.10.2', 'snappy', 1],
  ['0.10.2', 'lz4', 1],
  ['2.8', 'gzip', 2],
  ['2.8', 'snappy', 2],
  ['2.8', 'lz4', 2],
  ['2.8', 'zstd', 2],
  ['4', 'lz4', 2],
] as const

describe('kcat with compression against an embedded Kafka', () => {
  let kafka: EmbeddedKafka

  afterEach(async () => {
    await kafka.stop()
  })

  it.each(CASES)('%s, %s: what is produced can be read back', async (release, codec, magic) => {
    kafka = await EmbeddedKafka.start({ release, topics: { orders: {} } })
    const lines = Array.from({ length: 300 }, (_, i) => `a line that is much like all the others, number ${i}`)
    const settings = ['-z', codec, '-X', 'linger.ms=200']
    await kcat(release, ['-P', '-b', kafka.bootstrap, '-t', 'orders', ...settings], lines.join('\n'))
    if (codec !== 'zstd' || 'zstdDecompressSync' in zlib) {
      const stored = kafka.records('orders')
      expect(stored.map(({ value }) => value?.toString())).toEqual(lines)
      expect(stored.map(({ offset }) => offset)).toEqual(lines.map((_, i) => BigInt(i)))
      // The broker opens compressed sets of format 0, to write absolute offsets into them.
      expect(new Set(stored.map((record) => [record.codec, record.magic].join()))).toEqual(
        new Set([[magic === 0 ? 0 : CODECS[codec], magic].join()]),
      )
    } else {
      expect(() => kafka.records('orders')).toThrow(expect.objectContaining({ code: 'UNREADABLE' }))
    }
    const read = await kcat(release, ['-C', '-b', kafka.bootstrap, '-t', 'orders', '-e', '-q'])
    expect(read.stdout.trim().split('\n')).toEqual(lines)
  })

  it('2.8, idempotent: batches have ids and sequences', async () => {
    kafka = await EmbeddedKafka.start({ release: '2.8', topics: { orders: {} } })
    const lines = Array.from({ length: 100 }, (_, i) => `${i}`)
    await kcat('2.8', ['-P', '-b', kafka.bootstrap, '-t', 'orders', '-X', 'enable.idempotence=true'], lines.join('\n'))
    const stored = kafka.records('orders')
    expect(stored.map(({ value }) => value?.toString())).toEqual(lines)
    expect(stored.map(({ sequence }) => sequence)).toEqual(lines.map((_, i) => i))
    expect(new Set(stored.map(({ producerId }) => producerId))).toEqual(new Set([1000]))
  })

  it('2.8, idempotent: a batch that was written but answered with a time-out is sent again and stored once', async () => {
    kafka = await EmbeddedKafka.start({ release: '2.8', topics: { orders: {} } })
    const timeout = kafka.fail({ api: 'Produce' }, 'REQUEST_TIMED_OUT')
    await kcat('2.8', ['-P', '-b', kafka.bootstrap, '-t', 'orders', '-X', 'enable.idempotence=true'], 'one\ntwo\nthree')
    expect(timeout.hits).toBe(1)
    expect(kafka.records('orders').map(({ value }) => value?.toString())).toEqual(['one', 'two', 'three'])
    expect(kafka.requests.filter(({ api }) => api === 'Produce').length).toBeGreaterThan(1)
  })
})
