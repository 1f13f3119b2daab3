import { BoundedMap } from '../../bounded-map.js'
import { systemRandom } from '../../random.js'
import type { EncodedKey, KeyUse, PartitionContext, Partitioner } from '../partitioner.js'
import { checkRandom, readOptions } from './check-options.js'
import type { Random } from './keyless.js'

/**
 * Each message of a topic to the next partition with a leader, whatever its key (Java: `RoundRobinPartitioner`). Even
 * in messages but not in bytes, and with small batches.
 */
export class RoundRobinPartitioner implements Partitioner {
  readonly keyUse: KeyUse = 'none'
  private readonly random: Random
  private readonly turns = new BoundedMap<string, number>()

  constructor(options: { random?: Random | undefined } = {}) {
    const { random = systemRandom.number } = readOptions(options, ['random'])
    checkRandom(random)
    this.random = random
  }

  partition(_key: unknown, _partitionCount: number, _encodedKey: EncodedKey, context: PartitionContext): number {
    return this.partitionKeyless(context)
  }

  partitionKeyless({ topic, available, partitionCount }: PartitionContext): number {
    // The first is random, or many producers of a few messages each would all favour partition 0.
    const turn = this.turns.get(topic) ?? Math.floor(this.random() * partitionCount)
    this.turns.set(topic, turn + 1)
    return available[turn % available.length] ?? turn % partitionCount
  }
}
