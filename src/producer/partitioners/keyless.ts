import { BoundedMap } from '../../bounded-map.js'
import { systemRandom } from '../../random.js'
import type { KeylessPlacement, PartitionContext } from '../partitioner.js'
import { checkFlag, checkRandom, readOptions, refused } from './check-options.js'

/** From 0 up to but not including 1, like `Math.random`. */
export type Random = () => number

export interface StickyByBytesOptions {
  /** How many bytes of a topic go to one partition before another is chosen, from 1; 16 KiB by default, as in Java. */
  stickyBytes?: number | undefined
  /** Whether partitions with a large backlog are chosen less often; true by default. */
  adaptive?: boolean | undefined
  random?: Random | undefined
}

export const STICKY_OPTIONS: readonly (keyof StickyByBytesOptions)[] = ['stickyBytes', 'adaptive', 'random']

/** The weights of so many partitions are read per choice; of more, they serve several choices. */
const WEIGHTS_PER_CHOICE = 64

/**
 * Stays with a partition for `stickyBytes`, then chooses another at random, so that messages without a key fill whole
 * batches and still spread evenly (KIP-794). To count bytes, and not batches as KIP-480 did, matters: a slow broker's
 * batches are larger, and it would be given more for being slow.
 *
 * Adaptive, the chance of a partition falls with its backlog, as in KIP-794: its weight is the topic's largest backlog
 * less its own, plus `stickyBytes`. Without backlogs all are equal; the slowest keeps a small chance, to show recovery.
 */
export class StickyByBytes implements KeylessPlacement {
  private readonly stickyBytes: number
  private readonly adaptive: boolean
  private readonly random: Random
  private readonly topics = new BoundedMap<string, Stay>()
  /** Most messages are for the topic of the one before. */
  private latest: Stay | undefined
  private latestContext: PartitionContext | undefined

  /** @throws InvalidConfigError */
  constructor(options: StickyByBytesOptions = {}) {
    const read = readOptions(options, STICKY_OPTIONS)
    const { stickyBytes = 16_384, adaptive = true, random = systemRandom.number } = read
    // The weight of the slowest partition: without one all messages go to the last.
    if (!(Number.isSafeInteger(stickyBytes) && stickyBytes >= 1))
      throw refused('stickyBytes', stickyBytes, 'a whole number from 1')
    checkFlag('adaptive', adaptive)
    checkRandom(random)
    this.stickyBytes = stickyBytes
    this.adaptive = adaptive
    this.random = random
  }

  partitionKeyless(context: PartitionContext, bytes: number): number {
    const stay = this.latest !== undefined && this.latestContext === context ? this.latest : this.stayOf(context)
    if (stay.bytes >= this.stickyBytes) this.move(stay, context)
    stay.bytes += bytes
    return stay.partition
  }

  private stayOf(context: PartitionContext): Stay {
    const { available } = context
    let stay = this.topics.get(context.topic)
    if (stay === undefined) {
      stay = { available, partition: 0, bytes: 0, weights: undefined }
      this.topics.set(context.topic, stay)
      this.move(stay, context)
    } else if (stay.available !== available) {
      stay.available = available
      stay.weights = undefined
      if (!available.includes(stay.partition)) this.move(stay, context)
    }
    this.latestContext = context
    return (this.latest = stay)
  }

  private move(stay: Stay, context: PartitionContext): void {
    stay.bytes = 0
    if (!this.adaptive || context.available.length === 0) {
      stay.partition = randomPartition(context, this.random)
      return
    }
    if (stay.weights === undefined || stay.weights.choices === 0) stay.weights = weigh(context, this.stickyBytes)
    stay.weights.choices--
    stay.partition = context.available[placeOf(this.random(), stay.weights.sums)] as number
  }
}

/**
 * Kafka 0.8's way: a random partition among those with a leader, kept until the metadata is read again. With few
 * producers a topic's load is uneven for minutes, so it is no default; it is here for those who count on it.
 */
export class StickyUntilRefresh implements KeylessPlacement {
  private readonly random: Random
  private readonly topics = new BoundedMap<string, number>()

  /** @throws InvalidConfigError */
  constructor(options: { random?: Random | undefined } = {}) {
    const { random = systemRandom.number } = readOptions(options, ['random'])
    checkRandom(random)
    this.random = random
  }

  partitionKeyless(context: PartitionContext): number {
    let partition = this.topics.get(context.topic)
    if (partition === undefined) {
      partition = randomPartition(context, this.random)
      this.topics.set(context.topic, partition)
    }
    return partition
  }

  /** Forgets all topics, not only those given: so did Kafka 0.8. */
  onMetadataRefresh(): void {
    this.topics.clear()
  }
}

/** A random partition among those with a leader; among all while none has one, to wait there for the election. */
export function randomPartition({ available, partitionCount }: PartitionContext, random: Random): number {
  return available[Math.floor(random() * available.length)] ?? Math.floor(random() * partitionCount)
}

interface Stay {
  /** As the topic's metadata last had them. Not all of its context: that leads to the topic's queues, which may be forgotten. */
  available: readonly number[]
  partition: number
  bytes: number
  weights: Weights | undefined
}

interface Weights {
  /** For each available partition the weights of those up to it, added up. */
  readonly sums: Float64Array
  /** How many choices they still serve. */
  choices: number
}

/** Reads the backlog of every available partition, so it is neither for every message nor, of many, for every choice. */
function weigh(context: PartitionContext, leastWeight: number): Weights {
  const { available } = context
  const sums = new Float64Array(available.length)
  let largest = 0
  for (let i = 0; i < sums.length; i++) {
    const backlog = context.backlogBytes(available[i] as number)
    sums[i] = backlog
    if (backlog > largest) largest = backlog
  }
  let sum = 0
  for (let i = 0; i < sums.length; i++) sums[i] = sum += largest + leastWeight - (sums[i] as number)
  return { sums, choices: Math.max(1, Math.floor(sums.length / WEIGHTS_PER_CHOICE)) }
}

/** The first place whose sum is above `share` of the last. */
function placeOf(share: number, sums: Float64Array): number {
  const wanted = share * (sums.at(-1) as number)
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sums[middle] as number) > wanted) high = middle
    else low = middle + 1
  }
  return low
}
