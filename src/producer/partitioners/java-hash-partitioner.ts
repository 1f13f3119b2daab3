import { InvalidPartitionError } from '../../errors.js'
import { inOurWords } from '../../wording/whose-words.js'
import type { EncodedKey, KeyUse } from '../partitioner.js'
import { checkFlag, readOptions } from './check-options.js'
import { KeyPartitioner, type KeyPartitionerOptions } from './key-partitioner.js'

export interface JavaHashOptions extends KeyPartitionerOptions {
  /**
   * How a negative hash becomes a partition. True: the sign bit is cleared, as in Kafka 0.8.0 and 0.8.1. False, the
   * default: its absolute value is taken, as in 0.8.2. The two differ for every negative hash.
   */
  masked?: boolean | undefined
}

const JAVA_HASH_OPTIONS: readonly (keyof JavaHashOptions)[] = ['keyless', 'masked']

/**
 * Kafka 0.8's `DefaultPartitioner`: Java's `hashCode` of the key as the caller gave it, before it was encoded.
 *
 * A string is Java's `String`, a number of 32 bits its `Integer`, a bigint its `Long`: the two hash negative values
 * differently, so give what the Java producers of the topic give. To place messages without a key as 0.8 did, give
 * `keyless: new StickyUntilRefresh()`.
 */
export class JavaHashPartitioner extends KeyPartitioner {
  override readonly keyUse: KeyUse = 'original'
  private readonly toPositive: (hash: number) => number

  constructor(options: JavaHashOptions = {}) {
    const { masked = false, ...others } = readOptions(options, JAVA_HASH_OPTIONS)
    super(others)
    checkFlag('masked', masked)
    this.toPositive = masked ? mask : abs
  }

  /** @throws InvalidPartitionError for a key that has no counterpart in Java, or no stable hash there. */
  partition(key: unknown, partitionCount: number): number {
    return this.toPositive(javaHash(key)) % partitionCount
  }
}

/** Kafka 0.8's `ByteArrayPartitioner`: `Arrays.hashCode` of the encoded key. */
export class ByteArrayPartitioner extends KeyPartitioner {
  private readonly toPositive: (hash: number) => number

  constructor(options: JavaHashOptions = {}) {
    const { masked = false, ...others } = readOptions(options, JAVA_HASH_OPTIONS)
    super(others)
    checkFlag('masked', masked)
    this.toPositive = masked ? mask : abs
  }

  partition(_key: unknown, partitionCount: number, encodedKey: EncodedKey): number {
    return this.toPositive(arrayHash(encodedKey)) % partitionCount
  }
}

/** Java's `hashCode` of a String (over its UTF-16 units), Integer or Long; 32 bits, signed. */
function javaHash(key: unknown): number {
  if (typeof key === 'string') {
    let hash = 0
    for (let i = 0; i < key.length; i++) hash = (Math.imul(31, hash) + key.charCodeAt(i)) | 0
    return hash
  }
  if (typeof key === 'number' && (key | 0) === key) return key
  if (typeof key === 'bigint' && BigInt.asIntN(64, key) === key) {
    return Number(BigInt.asIntN(32, key ^ (key >> 32n)))
  }
  throw inOurWords(
    new InvalidPartitionError(
      `a key of type ${typeof key} must be a string, an integer of 32 bits or a bigint of 64 to be hashed as in Java; ` +
        'for bytes use the ByteArrayPartitioner',
    ),
  )
}

function arrayHash(key: EncodedKey): number {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  let hash = 1
  // Java's bytes are signed.
  for (const byte of bytes) hash = (Math.imul(31, hash) + ((byte << 24) >> 24)) | 0
  return hash
}

function mask(hash: number): number {
  return hash & 0x7fffffff
}

/** -2^31 has no counterpart in 32 bits; Kafka 0.8.2 takes 0 for it. */
function abs(hash: number): number {
  return hash === -0x80000000 ? 0 : Math.abs(hash)
}
