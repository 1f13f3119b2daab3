import type { EncodedKey, KeylessPlacement, KeyUse, PartitionContext, Partitioner } from '../partitioner.js'
import { refused } from './check-options.js'
import { StickyByBytes } from './keyless.js'

export interface KeyPartitionerOptions {
  /** Places messages without a key; {@link StickyByBytes} by default. */
  keyless?: KeylessPlacement | undefined
}

/** What partitioners that hash keys have in common: messages without one are somebody else's concern. */
export abstract class KeyPartitioner implements Partitioner {
  readonly keyUse: KeyUse = 'encoded'
  private readonly keyless: KeylessPlacement

  constructor(options: KeyPartitionerOptions = {}) {
    const { keyless = new StickyByBytes() } = options
    if (typeof (keyless as KeylessPlacement | null)?.partitionKeyless !== 'function')
      throw refused('keyless', keyless, 'an object with a method partitionKeyless()')
    this.keyless = keyless
  }

  abstract partition(key: unknown, partitionCount: number, encodedKey: EncodedKey, context: PartitionContext): number

  partitionKeyless(context: PartitionContext, bytes: number): number {
    return this.keyless.partitionKeyless(context, bytes)
  }

  onMetadataRefresh(topics: readonly string[]): void {
    // Its promise, where it is asynchronous, is for who called this.
    return this.keyless.onMetadataRefresh?.(topics)
  }
}
