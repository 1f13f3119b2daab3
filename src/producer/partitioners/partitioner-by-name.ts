import { InvalidConfigError } from '../../errors.js'
import { nearestName } from '../../wording/nearest-name.js'
import { shown } from '../../wording/shown.js'
import type { KeyUse, PartitionFunction, Partitioner } from '../partitioner.js'
import { refused } from './check-options.js'
import { ByteArrayPartitioner, JavaHashPartitioner } from './java-hash-partitioner.js'
import { StickyByBytes } from './keyless.js'
import { LibrdkafkaPartitioner, RandomPartitioner } from './librdkafka-partitioners.js'
import { Murmur2Partitioner } from './murmur2-partitioner.js'
import { RoundRobinPartitioner } from './round-robin-partitioner.js'

/**
 * What the option `partitioner` may be. The names are librdkafka's for what librdkafka has; note that there `murmur2`,
 * `consistent` and `fnv1a` send all messages without a key to one partition, and `…_random` spread them.
 */
export type PartitionerOption = PartitionerName | Partitioner | PartitionFunction

export type PartitionerName = keyof typeof PARTITIONERS

/** A partitioner with every part filled in, so that the path of a message asks for none. */
export type ResolvedPartitioner = { readonly [Name in keyof Partitioner]-?: NonNullable<Partitioner[Name]> }

/** What a configuration has, of which several producers may be made. */
export interface ConfiguredPartitioner extends ResolvedPartitioner {
  /** For one producer: each decides for itself where messages without a key go next. An object of the user's is shared. */
  anew(): ResolvedPartitioner
}

const PARTITIONERS = {
  default: () => new Murmur2Partitioner(),
  round_robin: () => new RoundRobinPartitioner(),
  java_hash: () => new JavaHashPartitioner(),
  java_hash_masked: () => new JavaHashPartitioner({ masked: true }),
  byte_array: () => new ByteArrayPartitioner(),
  consistent: () => new LibrdkafkaPartitioner({ hash: 'consistent', spreadKeyless: false }),
  consistent_random: () => new LibrdkafkaPartitioner({ hash: 'consistent', spreadKeyless: true }),
  murmur2: () => new LibrdkafkaPartitioner({ hash: 'murmur2', spreadKeyless: false }),
  murmur2_random: () => new LibrdkafkaPartitioner({ hash: 'murmur2', spreadKeyless: true }),
  fnv1a: () => new LibrdkafkaPartitioner({ hash: 'fnv1a', spreadKeyless: false }),
  fnv1a_random: () => new LibrdkafkaPartitioner({ hash: 'fnv1a', spreadKeyless: true }),
  random: () => new RandomPartitioner(),
} satisfies Record<string, () => Partitioner>

/**
 * A new partitioner of that name.
 *
 * @throws InvalidConfigError for an unknown name; it names the nearest one and all there are.
 */
export function partitionerByName(name: string): Partitioner {
  if (Object.hasOwn(PARTITIONERS, name)) return PARTITIONERS[name as PartitionerName]()
  const names = Object.keys(PARTITIONERS)
  const near = nearestName(name, names)
  throw new InvalidConfigError(
    `unknown partitioner ${shown(name)}${near === undefined ? '.' : `: did you mean '${near}'?`} Known are ${names.join(', ')}`,
  )
}

/**
 * The partitioner that the option `partitioner` means, ready for use. A function of one or two parameters reads the
 * original key, as partitioners of Kafka 0.8 did; one that takes `encodedKey` too gets keys encoded, and so does one whose
 * parameters don't tell, such as `(...args) =>`.
 *
 * @throws InvalidConfigError for an unknown name, or a value that is no partitioner.
 */
export function resolvePartitioner(option: PartitionerOption = 'default'): ConfiguredPartitioner {
  if (typeof option === 'string')
    return { ...complete(partitionerByName(option)), anew: () => resolvePartitioner(option) }
  if (isClass(option))
    throw new InvalidConfigError('partitioner: given was a class, allowed is an object made of it with `new`')
  if (typeof option === 'function') return complete({ keyUse: keyUseOf(option), partition: option })
  // Callers without types may give anything.
  if (typeof (option as Partitioner | null)?.partition === 'function') return complete(option)
  throw new InvalidConfigError('partitioner: expected a name, a function or an object with a method partition()')
}

/** One can't be called: each message would fail. A compiled one is a function, with methods for its objects. */
function isClass(option: unknown): boolean {
  if (typeof option !== 'function') return false
  const { prototype } = option as { prototype?: Partial<Partitioner> }
  if (typeof prototype?.partition === 'function' || typeof prototype?.partitionKeyless === 'function') return true
  return /^class\b/.test(Function.prototype.toString.call(option))
}

function keyUseOf(partition: PartitionFunction): KeyUse {
  return partition.length === 1 || partition.length === 2 ? 'original' : 'encoded'
}

function complete(partitioner: Partitioner): ConfiguredPartitioner {
  checkParts(partitioner)
  return withOwnStick({
    keyUse: partitioner.keyUse ?? 'encoded',
    partition: partitioner.partition.bind(partitioner),
    partitionKeyless: partitioner.partitionKeyless?.bind(partitioner),
    onMetadataRefresh: partitioner.onMetadataRefresh?.bind(partitioner) ?? (() => undefined),
  })
}

type Parts = Omit<ResolvedPartitioner, 'partitionKeyless'> & Pick<Partitioner, 'partitionKeyless'>

function withOwnStick(parts: Parts): ConfiguredPartitioner {
  const sticky = new StickyByBytes()
  return {
    keyUse: parts.keyUse,
    partition: parts.partition,
    partitionKeyless: parts.partitionKeyless ?? sticky.partitionKeyless.bind(sticky),
    onMetadataRefresh: parts.onMetadataRefresh,
    anew: () => withOwnStick(parts),
  }
}

const KEY_USES: ReadonlySet<unknown> = new Set<KeyUse | undefined>(['encoded', 'original', 'none', undefined])

/** With a part that is misspelt keys would choose no partition, or a hook would never be called, and nobody would know. */
function checkParts({ keyUse, partitionKeyless, onMetadataRefresh }: Partitioner): void {
  if (!KEY_USES.has(keyUse)) throw refused('partitioner.keyUse', keyUse, "'encoded', 'original' or 'none'")
  for (const [name, part] of Object.entries({ partitionKeyless, onMetadataRefresh })) {
    if (part !== undefined && typeof part !== 'function') throw refused(`partitioner.${name}`, part, 'a function')
  }
}
