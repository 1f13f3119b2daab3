import { FailedToSendMessageError, RecordMetadata } from '../../../src/index.js'
import type { DecodedRecord } from '../../../src/protocol/records/record.js'

/** One line of the final table: what should have come out, and what did. */
export interface Check {
  readonly name: string
  readonly expected: number
  readonly found: number
}

export interface DemoMessage {
  readonly topic: string
  readonly key: string
  readonly value: string
}

const FILLER = 'x'.repeat(64)

/**
 * Makes the messages of one run, keeps what the producer said of each, and compares it with what is read back. Messages
 * of others in the same topic are counted and passed over.
 */
export class Ledger {
  acknowledged = 0
  bytes = 0
  foreign = 0
  /** The first message that failed, or whatever else went wrong with a send(). */
  failure: unknown
  private read = 0
  private repeated = 0
  private misplaced = 0
  private outOfOrder = 0
  private readonly partitions: Int32Array
  private readonly offsets: BigInt64Array
  private readonly timesRead: Uint8Array
  private readonly lastOfKey: Int32Array

  /** @param run tells this run's messages from those of any other */
  constructor(
    readonly topic: string,
    private readonly run: string,
    readonly count: number,
    private readonly keys = 1_000,
  ) {
    this.partitions = new Int32Array(count).fill(-1)
    this.offsets = new BigInt64Array(count).fill(-1n)
    this.timesRead = new Uint8Array(count)
    this.lastOfKey = new Int32Array(keys).fill(-1)
  }

  message(index: number): DemoMessage {
    const message = { topic: this.topic, key: this.keyOf(index), value: `${this.run} ${index} ${FILLER}` }
    this.bytes += message.key.length + message.value.length
    return message
  }

  /** What became of the messages from `first` on. */
  wereSent(first: number, results: readonly unknown[]): void {
    for (const [i, result] of results.entries()) {
      if (!(result instanceof RecordMetadata)) continue
      this.acknowledged++
      this.partitions[first + i] = result.partition
      this.offsets[first + i] = result.offset
    }
  }

  failed(first: number, error: unknown): void {
    this.failure ??= error
    if (error instanceof FailedToSendMessageError) this.wereSent(first, error.results)
  }

  /** Takes a record as it was read; those of a partition must come in their order. */
  wasRead(partition: number, record: DecodedRecord): void {
    const [run, number, filler] = record.value?.toString().split(' ') ?? []
    const index = Number(number)
    if (run !== this.run || !(index < this.count)) {
      this.foreign++
      return
    }
    this.read++
    const times = this.timesRead[index] as number
    if (times > 0) this.repeated++
    this.timesRead[index] = Math.min(times + 1, 0xff)
    const placed = this.partitions[index] === partition && this.offsets[index] === record.offset
    if (!placed || record.key?.toString() !== this.keyOf(index) || filler !== FILLER) this.misplaced++
    const key = index % this.keys
    if (index <= (this.lastOfKey[key] as number)) this.outOfOrder++
    this.lastOfKey[key] = index
  }

  checks(): Check[] {
    const missing = this.timesRead.reduce((sum, times) => sum + (times === 0 ? 1 : 0), 0)
    return [
      { name: 'acknowledged', expected: this.count, found: this.acknowledged },
      { name: 'read back', expected: this.count, found: this.read },
      { name: 'missing', expected: 0, found: missing },
      { name: 'read more than once', expected: 0, found: this.repeated },
      { name: 'out of order within their key', expected: 0, found: this.outOfOrder },
      { name: 'not as sent, or not where the producer said', expected: 0, found: this.misplaced },
    ]
  }

  private keyOf(index: number): string {
    return `key-${index % this.keys}`
  }
}
