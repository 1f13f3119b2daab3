import { describe, expect, it } from 'vitest'
import * as library from '../../../../src/index.js'

const { StickyByBytes, Murmur2Partitioner, JavaHashPartitioner, RoundRobinPartitioner } = library

const thrower = () => {
  throw new Error('boom')
}

describe('a partitioner is not made of options that would put all messages into one place', () => {
  it.each([0, -1, NaN, Infinity, 0.5, '16384', null, 2 ** 53])('stickyBytes %s', (stickyBytes) => {
    expect(() => new StickyByBytes({ stickyBytes: stickyBytes as number })).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIG',
        message: expect.stringMatching(/^stickyBytes: given was .*, allowed is a whole number from 1$/),
      }),
    )
  })

  it.each([
    ['adaptive', () => new StickyByBytes({ adaptive: 'false' as never })],
    ['random', () => new StickyByBytes({ random: 0.5 as never })],
    ['random', () => new RoundRobinPartitioner({ random: null as never })],
    ['ignoreKeys', () => new Murmur2Partitioner({ ignoreKeys: 'false' as never })],
    ['masked', () => new JavaHashPartitioner({ masked: 0 as never })],
    ['masked', () => new library.ByteArrayPartitioner({ masked: 0 as never })],
    ['hash', () => new library.LibrdkafkaPartitioner({ hash: 'md5' as never, spreadKeyless: true })],
    ['hash', () => new library.LibrdkafkaPartitioner({ hash: 'toString' as never, spreadKeyless: true })],
    ['spreadKeyless', () => new library.LibrdkafkaPartitioner({ hash: 'fnv1a', spreadKeyless: 'false' as never })],
    ['keyless', () => new Murmur2Partitioner({ keyless: {} as never })],
    ['keyless', () => new Murmur2Partitioner({ keyless: null as never })],
  ])('%s of another type: %#', (name, make) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(`^${name}: given was `) }),
    )
  })

  it.each([
    () => new StickyByBytes(null as never),
    () => new library.StickyUntilRefresh(null as never),
    () => new Murmur2Partitioner(null as never),
    () => new JavaHashPartitioner(null as never),
    () => new RoundRobinPartitioner(null as never),
    () => new library.RandomPartitioner(null as never),
    () => new library.LibrdkafkaPartitioner(undefined as never),
  ])('no object: %#', (make) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(/^options: given was /) }),
    )
  })

  it.each([
    ['sticky', () => new StickyByBytes({ sticky: 5 } as never)],
    ['rand', () => new library.StickyUntilRefresh({ rand: Math.random } as never)],
    ['ignoreKey', () => new Murmur2Partitioner({ ignoreKey: true } as never)],
    ['mask', () => new JavaHashPartitioner({ mask: true } as never)],
    ['mask', () => new library.ByteArrayPartitioner({ mask: true } as never)],
    ['seed', () => new RoundRobinPartitioner({ seed: 1 } as never)],
    ['seed', () => new library.RandomPartitioner({ seed: 1 } as never)],
    ['keyless', () => new library.LibrdkafkaPartitioner({ hash: 'fnv1a', spreadKeyless: true, keyless: 1 } as never)],
  ])('%s, which there is not: keys would go to other partitions, and nobody would know', (name, make) => {
    expect(make).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIG',
        message: expect.stringMatching(`^options: there is no option '${name}' of this partitioner; it has `),
      }),
    )
  })

  it('what can’t be read', () => {
    const options = new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower })
    for (const make of [StickyByBytes, Murmur2Partitioner, JavaHashPartitioner, RoundRobinPartitioner])
      expect(() => new make(options)).toThrow(
        expect.objectContaining({
          code: 'INVALID_CONFIG',
          message: expect.stringMatching(/^the options of a partitioner can't be read/),
        }),
      )
  })

  it('what is undefined is not given', () => {
    new StickyByBytes({ stickyBytes: undefined, adaptive: undefined, random: undefined })
    new Murmur2Partitioner({ keyless: undefined, ignoreKeys: undefined })
    new JavaHashPartitioner({ masked: undefined })
    new RoundRobinPartitioner({ random: undefined })
  })
})
