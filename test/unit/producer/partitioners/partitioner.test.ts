import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import { InvalidConfigError, InvalidPartitionError } from '../../../../src/errors.js'
import type { KeylessPlacement, PartitionContext, Partitioner } from '../../../../src/producer/partitioner.js'
import {
  ByteArrayPartitioner,
  JavaHashPartitioner,
} from '../../../../src/producer/partitioners/java-hash-partitioner.js'
import { StickyByBytes, StickyUntilRefresh } from '../../../../src/producer/partitioners/keyless.js'
import { RandomPartitioner } from '../../../../src/producer/partitioners/librdkafka-partitioners.js'
import { Murmur2Partitioner } from '../../../../src/producer/partitioners/murmur2-partitioner.js'
import {
  partitionerByName,
  resolvePartitioner,
  type PartitionerName,
  type PartitionerOption,
} from '../../../../src/producer/partitioners/partitioner-by-name.js'
import { RoundRobinPartitioner } from '../../../../src/producer/partitioners/round-robin-partitioner.js'

const KiB = 1024

// Where keys go is in the golden vectors, made by other producers; here is the rest.

describe('of one configuration', () => {
  it('each producer has its own turns', () => {
    const one = resolvePartitioner('round_robin')
    const other = one.anew()
    const context = topic({ partitionCount: 4 })
    const [a, , b] = [one, other, one].map((its) => its.partitionKeyless(context, 1)) as [number, number, number]
    expect(b).toBe((a + 1) % 4)
  })

  it('each producer stays with partitions of its own, also where keys go by a function of the user’s', () => {
    const one = resolvePartitioner(() => 0)
    const other = one.anew()
    expect(other.partition).toBe(one.partition)
    expect(other.partitionKeyless).not.toBe(one.partitionKeyless)
  })
})

describe('StickyByBytes', () => {
  it('stays with a partition until it got its bytes, then chooses again', () => {
    const sticky = new StickyByBytes({ stickyBytes: 1000, random: cycle(0.1, 0.9, 0.5) })
    const context = topic({ partitionCount: 10 })
    const placed = [400, 400, 400, 999, 1, 1, 5000, 1].map((bytes) => sticky.partitionKeyless(context, bytes))
    expect(placed).toEqual([1, 1, 1, 9, 9, 5, 5, 1])
  })

  it('gives a partition 16 KiB when not told otherwise', () => {
    const sticky = new StickyByBytes({ random: cycle(0.1, 0.9) })
    const context = topic({ partitionCount: 10 })
    const placed = Array.from({ length: 40 }, () => sticky.partitionKeyless(context, KiB))
    expect(placed).toEqual([...fill(16, 1), ...fill(16, 9), ...fill(8, 1)])
  })

  it('stays by topic', () => {
    const sticky = new StickyByBytes({ stickyBytes: 1000, random: cycle(0.1, 0.9) })
    const [a, b] = [topic({ topic: 'a', partitionCount: 10 }), topic({ topic: 'b', partitionCount: 10 })]
    expect([a, b, a, b].map((context) => sticky.partitionKeyless(context, 600))).toEqual([1, 9, 1, 9])
  })

  it('spreads bytes evenly over the partitions with a leader', () => {
    const random = seeded(1)
    const sticky = new StickyByBytes({ random })
    const available = [0, 2, 3, 5, 7]
    const context = topic({ partitionCount: 8, available })
    const bytes = bytesByPartition(
      20_000,
      () => Math.floor(random() * 8 * KiB),
      sticky,
      () => context,
    )
    const expected = [...bytes.values()].reduce((sum, one) => sum + one) / available.length
    expect([...bytes.keys()].sort()).toEqual(available)
    for (const one of bytes.values()) expect(Math.abs(one / expected - 1)).toBeLessThan(0.1)
  })

  it('gives a partition with a large backlog less, but something', () => {
    const sticky = new StickyByBytes({ random: seeded(2) })
    // Weights: 16 KiB for the slow one, 16 + 144 KiB for each of the two others.
    const context = topic({ partitionCount: 3, backlog: (partition) => (partition === 1 ? 144 * KiB : 0) })
    const bytes = bytesByPartition(
      60_000,
      () => 16 * KiB,
      sticky,
      () => context,
    )
    const share = share1(bytes)
    expect(share).toBeGreaterThan(0.9 * (16 / 336))
    expect(share).toBeLessThan(1.1 * (16 / 336))
  })

  it('keeps the backlog of a slow broker bounded while the others take the load', () => {
    const sticky = new StickyByBytes({ random: seeded(3) })
    const backlog = [0, 0, 0]
    const context = topic({ partitionCount: 3, backlog: (partition) => backlog[partition] ?? 0 })
    const speed = [8 * KiB, 256, 8 * KiB]
    for (let i = 0; i < 50_000; i++) {
      const partition = sticky.partitionKeyless(context, 4 * KiB)
      backlog[partition] = (backlog[partition] ?? 0) + 4 * KiB
      speed.forEach((bytes, at) => (backlog[at] = Math.max(0, (backlog[at] ?? 0) - bytes)))
    }
    // Chosen evenly it would have a third of the 200 MB less the 12.8 MB it can serve.
    expect(backlog[1]).toBeLessThan(1000 * KiB)
  })

  it('does not look at backlogs when told so', () => {
    const backlog = vi.fn(() => 0)
    const sticky = new StickyByBytes({ adaptive: false, random: seeded(4) })
    const context = topic({ partitionCount: 3, backlog })
    const bytes = bytesByPartition(
      30_000,
      () => 16 * KiB,
      sticky,
      () => context,
    )
    expect(backlog).not.toHaveBeenCalled()
    expect(Math.abs(share1(bytes) * 3 - 1)).toBeLessThan(0.1)
  })

  it('reads backlogs and the list of partitions only to choose, and once when the metadata is new', () => {
    const backlog = vi.fn(() => 0)
    const sticky = new StickyByBytes()
    sticky.partitionKeyless(topic({ partitionCount: 4 }), 1)
    const context = topic({ partitionCount: 4, backlog })
    const available = vi.spyOn(context, 'available', 'get')
    sticky.partitionKeyless(context, 1)
    expect(available).toHaveBeenCalledOnce()
    available.mockClear()
    for (let i = 0; i < 1000; i++) sticky.partitionKeyless(context, 1)
    expect(backlog).not.toHaveBeenCalled()
    expect(available).not.toHaveBeenCalled()
  })

  it('reads the backlogs of many partitions for several choices at a time', () => {
    const backlog = vi.fn(() => 0)
    const sticky = new StickyByBytes({ stickyBytes: 1, random: seeded(6) })
    const context = topic({ partitionCount: 6400, backlog })
    const placed = new Set(Array.from({ length: 200 }, () => sticky.partitionKeyless(context, 1)))
    expect(backlog).toHaveBeenCalledTimes(2 * 6400)
    expect(placed.size).toBeGreaterThan(150)
  })

  it('leaves a partition that lost its leader, and no other, when the metadata is new', () => {
    const sticky = new StickyByBytes({ random: cycle(0.5, 0) })
    expect(sticky.partitionKeyless(topic({ partitionCount: 4 }), 1)).toBe(2)
    expect(sticky.partitionKeyless(topic({ partitionCount: 4, available: [1, 2] }), 1)).toBe(2)
    expect(sticky.partitionKeyless(topic({ partitionCount: 4, available: [1, 3] }), 1)).toBe(1)
  })

  it('holds nothing of the topics that it was asked for before, however many it remembers a partition of', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const sticky = new StickyByBytes()
    const contexts = Array.from({ length: 20 }, (_, i) => {
      const context = topic({ topic: `reply-${i}`, partitionCount: 3 })
      sticky.partitionKeyless(context, 1)
      return new WeakRef(context)
    })
    // What a WeakRef was asked for stays until the turn is over.
    await new Promise((resolve) => setImmediate(resolve))
    gc()
    // It knows the last one, and a register may hold another.
    expect(contexts.filter((context) => context.deref() !== undefined).length).toBeLessThan(3)
    expect(sticky.partitionKeyless(topic({ topic: 'reply-0', partitionCount: 3 }), 1)).toBeLessThan(3)
  })

  it('chooses among all partitions while none has a leader', () => {
    for (const adaptive of [true, false]) {
      const sticky = new StickyByBytes({ stickyBytes: 1, adaptive, random: seeded(5) })
      const context = topic({ partitionCount: 4, available: [] })
      const placed = new Set(Array.from({ length: 100 }, () => sticky.partitionKeyless(context, 1)))
      expect([...placed].sort()).toEqual([0, 1, 2, 3])
    }
  })
})

describe('StickyUntilRefresh', () => {
  it('keeps a random partition with a leader until metadata was read again, of whatever topic', () => {
    const sticky = new StickyUntilRefresh({ random: cycle(0, 0.99, 0.5) })
    const context = topic({ partitionCount: 8, available: [2, 4, 6] })
    const other = topic({ topic: 'other', partitionCount: 8 })
    const place = () => sticky.partitionKeyless(context)
    expect([place(), place(), sticky.partitionKeyless(other), place()]).toEqual([2, 2, 7, 2])
    sticky.onMetadataRefresh()
    expect([place(), sticky.partitionKeyless(other)]).toEqual([4, 0])
  })
})

describe.each([
  ['Murmur2Partitioner', (keyless: KeylessPlacement) => new Murmur2Partitioner({ keyless })],
  ['JavaHashPartitioner', (keyless: KeylessPlacement) => new JavaHashPartitioner({ keyless })],
  ['ByteArrayPartitioner', (keyless: KeylessPlacement) => new ByteArrayPartitioner({ keyless })],
])('%s', (_name, make) => {
  it('leaves messages without a key to what it was given for them', () => {
    const keyless = { partitionKeyless: vi.fn(() => 3), onMetadataRefresh: vi.fn() }
    const partitioner = make(keyless)
    const context = topic({ partitionCount: 4 })
    expect(partitioner.partitionKeyless(context, 77)).toBe(3)
    partitioner.onMetadataRefresh(['orders'])
    expect(keyless.partitionKeyless).toHaveBeenCalledExactlyOnceWith(context, 77)
    expect(keyless.onMetadataRefresh).toHaveBeenCalledExactlyOnceWith(['orders'])
    expect(() => make({ partitionKeyless: () => 0 }).onMetadataRefresh(['orders'])).not.toThrow()
  })
})

describe('Murmur2Partitioner', () => {
  it('hashes the encoded key and not the original', () => {
    const partitioner = new Murmur2Partitioner()
    expect(partitioner.keyUse).toBe('encoded')
    expect(partitioner.partition('other', 1000, 'order-17')).toBe(
      partitioner.partition(17, 1000, Buffer.from('order-17')),
    )
  })

  it('ignores keys when told so', () => {
    expect(new Murmur2Partitioner({ ignoreKeys: true }).keyUse).toBe('none')
  })
})

describe('JavaHashPartitioner', () => {
  const partitioner = new JavaHashPartitioner()

  it('hashes the original key', () => expect(partitioner.keyUse).toBe('original'))

  it('takes -0 for 0', () => expect(partitioner.partition(-0, 10)).toBe(0))

  it.each([2147483648, -2147483649, 1.5, NaN, 2n ** 63n, -(2n ** 63n) - 1n, true, {}, [], Symbol('s')])(
    'refuses %s: it is nothing whose hash Java would agree on',
    (key) => expect(() => partitioner.partition(key, 10)).toThrow(InvalidPartitionError),
  )

  it('names the remedy for bytes', () => {
    expect(() => partitioner.partition(Buffer.from('x'), 10)).toThrow(/ByteArrayPartitioner/)
  })
})

describe('RandomPartitioner', () => {
  it('chooses for each message anew among the partitions with a leader, whatever the key', () => {
    const partitioner = new RandomPartitioner({ random: cycle(0, 0.5, 0.99) })
    const context = topic({ partitionCount: 10, available: [1, 3, 5] })
    expect(partitioner.keyUse).toBe('none')
    expect([1, 2, 3].map(() => partitioner.partitionKeyless(context))).toEqual([1, 3, 5])
    expect([1, 2, 3].map(() => partitioner.partition('key', 10, 'key', context))).toEqual([1, 3, 5])
  })
})

describe('RoundRobinPartitioner', () => {
  it('takes the partitions with a leader in turn, by topic, from a random one on, whatever the key', () => {
    const partitioner = new RoundRobinPartitioner({ random: cycle(0.5, 0) })
    const context = topic({ partitionCount: 4, available: [0, 1, 3] })
    const other = topic({ topic: 'other', partitionCount: 2 })
    expect(partitioner.keyUse).toBe('none')
    const placed = [1, 2, 3, 4].map(() => partitioner.partitionKeyless(context))
    expect(placed).toEqual([3, 0, 1, 3])
    expect([partitioner.partitionKeyless(other), partitioner.partitionKeyless(other)]).toEqual([0, 1])
    expect(partitioner.partition('key', 4, 'key', context)).toBe(0)
  })

  it('takes all in turn while none has a leader', () => {
    const partitioner = new RoundRobinPartitioner({ random: () => 0 })
    const context = topic({ partitionCount: 3, available: [] })
    expect([1, 2, 3, 4].map(() => partitioner.partitionKeyless(context))).toEqual([0, 1, 2, 0])
  })

  it('does not remember every topic that was ever sent to', () => {
    let begun = 0
    const random = () => {
      begun++
      return 0
    }
    const partitioner = new RoundRobinPartitioner({ random })
    const place = (name: string) => partitioner.partitionKeyless(topic({ topic: name, partitionCount: 3 }))
    expect([place('first'), place('first')]).toEqual([0, 1])
    for (let i = 0; i < 40_000; i++) place(`reply-${i}`)
    expect(place('first')).toBe(0)
    expect(begun).toBe(40_002)
  })
})

describe('partitionerByName', () => {
  const names: Record<PartitionerName, Partitioner['keyUse']> = {
    default: 'encoded',
    round_robin: 'none',
    java_hash: 'original',
    java_hash_masked: 'original',
    byte_array: 'encoded',
    consistent: 'encoded',
    consistent_random: 'encoded',
    murmur2: 'encoded',
    murmur2_random: 'encoded',
    fnv1a: 'encoded',
    fnv1a_random: 'encoded',
    random: 'none',
  }

  it.each(Object.entries(names))('knows %s', (name, keyUse) => {
    expect(partitionerByName(name).keyUse).toBe(keyUse)
    expect(partitionerByName(name)).not.toBe(partitionerByName(name))
  })

  it.each([
    ['murmur', 'murmur2'],
    ['MURMUR2', 'murmur2'],
    ['roundrobin', 'round_robin'],
    ['round-robin', 'round_robin'],
    ['fnv1', 'fnv1a'],
    ['consistant_random', 'consistent_random'],
    ['toString', 'consistent'],
  ])('refuses %s, names %s and all there are', (name, near) => {
    expect(() => partitionerByName(name)).toThrow(InvalidConfigError)
    expect(() => partitionerByName(name)).toThrow(`unknown partitioner '${name}'`)
    if (name !== 'toString') expect(() => partitionerByName(name)).toThrow(`did you mean '${near}'?`)
    for (const known of Object.keys(names)) expect(() => partitionerByName(name)).toThrow(known)
  })
})

describe('resolvePartitioner', () => {
  const context = topic({ partitionCount: 1000 })

  it('is murmur2 as in Java when nothing is asked for', () => {
    expect(resolvePartitioner().partition(null, 1000, 'order-17', context)).toBe(
      new Murmur2Partitioner().partition(null, 1000, 'order-17'),
    )
  })

  it('takes a function of Kafka 0.8 form, which reads the original key', () => {
    const resolved = resolvePartitioner((key, partitionCount) => Number(key) % partitionCount)
    expect(resolved.keyUse).toBe('original')
    expect(resolved.partition(1017, 1000, '', context)).toBe(17)
  })

  it('takes a function that reads the encoded key', () => {
    const resolved = resolvePartitioner((_key, _partitionCount, encodedKey) => encodedKey.length)
    expect(resolved.keyUse).toBe('encoded')
    expect(resolved.partition(null, 1000, 'abc', context)).toBe(3)
  })

  it('takes a function whose parameters do not tell what it reads, and gives it all there is', () => {
    const resolved = resolvePartitioner((...[, , encodedKey]) => encodedKey.length)
    expect(resolved.keyUse).toBe('encoded')
  })

  it('takes an object and keeps its this', () => {
    class Mine implements Partitioner {
      readonly keyUse = 'original'
      readonly refreshed: string[] = []
      private readonly answer = 7
      partition(): number {
        return this.answer
      }
      partitionKeyless(): number {
        return this.answer + 1
      }
      onMetadataRefresh(topics: readonly string[]): void {
        this.refreshed.push(...topics)
      }
    }
    const mine = new Mine()
    const resolved = resolvePartitioner(mine)
    resolved.onMetadataRefresh(['orders'])
    expect(resolved.keyUse).toBe('original')
    expect(resolved.partition('key', 1000, '', context)).toBe(7)
    expect(resolved.partitionKeyless(context, 1)).toBe(8)
    expect(mine.refreshed).toEqual(['orders'])
  })

  it('fills in what an object lacks: encoded keys, keyless messages stick by bytes', () => {
    const resolved = resolvePartitioner({ partition: () => 0 })
    const placed = Array.from({ length: 16 }, () => resolved.partitionKeyless(context, KiB))
    expect(resolved.keyUse).toBe('encoded')
    expect(new Set(placed).size).toBe(1)
    expect(() => resolved.onMetadataRefresh(['orders'])).not.toThrow()
  })

  it.each([null, 42, {}, { partition: 'murmur2' }, 'murmur3'])('refuses %j', (option) => {
    expect(() => resolvePartitioner(option as PartitionerOption)).toThrow(InvalidConfigError)
  })

  it('has types that let a plain function be written without annotations', () => {
    expectTypeOf<(key: unknown, partitionCount: number) => number>().toExtend<PartitionerOption>()
    expectTypeOf<'murmur2'>().toExtend<PartitionerOption>()
    expectTypeOf<'murmur3'>().not.toExtend<PartitionerOption>()
  })
})

interface TopicOptions {
  topic?: string
  partitionCount: number
  available?: number[]
  backlog?: (partition: number) => number
}

function topic(options: TopicOptions): PartitionContext {
  const available = options.available ?? Array.from({ length: options.partitionCount }, (_, i) => i)
  return {
    topic: options.topic ?? 'orders',
    partitionCount: options.partitionCount,
    get available() {
      return available
    },
    backlogBytes: options.backlog ?? (() => 0),
  }
}

function bytesByPartition(
  messages: number,
  size: () => number,
  keyless: KeylessPlacement,
  context: () => PartitionContext,
): Map<number, number> {
  const bytes = new Map<number, number>()
  for (let i = 0; i < messages; i++) {
    const one = size()
    const partition = keyless.partitionKeyless(context(), one)
    bytes.set(partition, (bytes.get(partition) ?? 0) + one)
  }
  return bytes
}

/** What part of the bytes went to partition 1. */
function share1(bytes: Map<number, number>): number {
  return (bytes.get(1) ?? 0) / [...bytes.values()].reduce((sum, one) => sum + one)
}

function fill(count: number, value: number): number[] {
  return new Array<number>(count).fill(value)
}

/** These values over and over, in place of chance. */
function cycle(...values: number[]): () => number {
  let at = 0
  return () => values[at++ % values.length] ?? 0
}

/** mulberry32: the same chances in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
