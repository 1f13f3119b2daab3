import { crc32 } from '../../protocol/crc32.js'
import { systemRandom } from '../../random.js'
import type { EncodedKey, KeylessPlacement, KeyUse, PartitionContext, Partitioner } from '../partitioner.js'
import { checkFlag, checkRandom, readOptions, refused } from './check-options.js'
import { KeyPartitioner } from './key-partitioner.js'
import { STICKY_OPTIONS, StickyByBytes, randomPartition, type Random, type StickyByBytesOptions } from './keyless.js'
import { murmur2 } from './murmur2.js'

const HASHES = { consistent: crc32, murmur2: murmur2Positive, fnv1a }

export type LibrdkafkaHash = keyof typeof HASHES

export interface LibrdkafkaPartitionerOptions extends StickyByBytesOptions {
  hash: LibrdkafkaHash
  /** Whether messages without a key are spread (`consistent_random` and so on); otherwise all go to one partition. */
  spreadKeyless: boolean
}

/**
 * The partitioners of librdkafka and of the clients built on it (its option `partitioner`), made so that the same key
 * goes to the same partition. `consistent` is CRC-32; `consistent_random`, its default, counts an empty key as none.
 * Where librdkafka spreads keyless messages by time (`sticky.partitioning.linger.ms`), this spreads by bytes.
 */
export class LibrdkafkaPartitioner extends KeyPartitioner {
  private readonly hash: (key: EncodedKey) => number
  private readonly emptyIsNone: boolean
  private readonly random: Random

  constructor(options: LibrdkafkaPartitionerOptions) {
    const { hash, spreadKeyless, ...sticky } = readOptions(options, ['hash', 'spreadKeyless', ...STICKY_OPTIONS])
    checkFlag('spreadKeyless', spreadKeyless)
    const hashOf = Object.hasOwn(HASHES, hash) ? HASHES[hash] : undefined
    if (hashOf === undefined) throw refused('hash', hash, `one of ${Object.keys(HASHES).join(', ')}`)
    super({ keyless: spreadKeyless ? new StickyByBytes(sticky) : new FixedByHash(hashOf('')) })
    this.hash = hashOf
    this.emptyIsNone = hash === 'consistent' && spreadKeyless
    this.random = sticky.random ?? systemRandom.number
  }

  partition(_key: unknown, partitionCount: number, encodedKey: EncodedKey, context: PartitionContext): number {
    if (this.emptyIsNone && encodedKey.length === 0) return randomPartition(context, this.random)
    return this.hash(encodedKey) % partitionCount
  }
}

/** librdkafka's `random`: a random partition with a leader for every message, whatever its key. */
export class RandomPartitioner implements Partitioner {
  readonly keyUse: KeyUse = 'none'
  private readonly random: Random

  constructor(options: { random?: Random | undefined } = {}) {
    const { random = systemRandom.number } = readOptions(options, ['random'])
    checkRandom(random)
    this.random = random
  }

  partition(_key: unknown, _partitionCount: number, _encodedKey: EncodedKey, context: PartitionContext): number {
    return randomPartition(context, this.random)
  }

  partitionKeyless(context: PartitionContext): number {
    return randomPartition(context, this.random)
  }
}

/** Where librdkafka does not spread keyless messages, it hashes them as an empty key. */
class FixedByHash implements KeylessPlacement {
  constructor(private readonly hash: number) {}

  partitionKeyless({ partitionCount }: PartitionContext): number {
    return this.hash % partitionCount
  }
}

function murmur2Positive(key: EncodedKey): number {
  return murmur2(key) & 0x7fffffff
}

/** FNV-1a of 32 bits, its absolute value as a signed integer: librdkafka follows Go's Sarama in that. */
function fnv1a(key: EncodedKey): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return Math.abs(hash | 0)
}
