import type { EncodedKey, KeyUse } from '../partitioner.js'
import { checkFlag, readOptions } from './check-options.js'
import { KeyPartitioner, type KeyPartitionerOptions } from './key-partitioner.js'
import { murmur2 } from './murmur2.js'

export interface Murmur2PartitionerOptions extends KeyPartitionerOptions {
  /** Places messages with a key as if they had none (Java: `partitioner.ignore.keys`); false by default. */
  ignoreKeys?: boolean | undefined
}

/** The default, and the default of Java's producer since 0.8.2: same key, same partition, in either language. */
export class Murmur2Partitioner extends KeyPartitioner {
  override readonly keyUse: KeyUse

  constructor(options: Murmur2PartitionerOptions = {}) {
    const { ignoreKeys = false, ...others } = readOptions(options, ['keyless', 'ignoreKeys'])
    super(others)
    checkFlag('ignoreKeys', ignoreKeys)
    this.keyUse = ignoreKeys ? 'none' : 'encoded'
  }

  partition(_key: unknown, partitionCount: number, encodedKey: EncodedKey): number {
    return (murmur2(encodedKey) & 0x7fffffff) % partitionCount
  }
}
