import type { Batch } from '../../../src/producer/queues/batch.js'
import { OutgoingMessage, type Fate, type MessageOwner } from '../../../src/producer/queues/outgoing-message.js'
import { sizeOfData, type Data, type OutgoingHeaders } from '../../../src/protocol/records/record.js'

/** Whoever gave messages, and what became of each. */
export class Owner implements MessageOwner {
  readonly signal: AbortSignal | undefined = undefined
  readonly isBeingEnded = false
  isPatient = false
  readonly fates: Fate[][] = []
  readonly batches: (Batch | undefined)[] = []
  admittedCount = 0

  constructor(readonly sentAt = { timestamp: 1_700_000_000_000, at: performance.now() }) {}

  admitted(count: number): void {
    this.admittedCount += count
  }

  placed(index: number, batch: Batch): void {
    this.batches[index] = batch
  }

  isSettled(index: number): boolean {
    return this.fates[index] !== undefined
  }

  settle(index: number, fate: Fate): void {
    ;(this.fates[index] ??= []).push(fate)
  }
}

export interface Given {
  readonly topic?: string
  readonly key?: Data
  readonly value?: Data
  readonly headers?: OutgoingHeaders | null
  readonly timestamp?: number | null
}

/** A message as the encoders leave it. */
export function outgoingMessage(
  owner: MessageOwner,
  index: number,
  { topic = 'orders', key = null, value = null, headers = null, timestamp = null }: Given = {},
): OutgoingMessage {
  const parts = [key, value, ...(headers ?? [])]
  const least = parts.reduce((sum: number, part) => sum + (part?.length ?? 0), 0)
  const most = parts.reduce((sum: number, part) => sum + (part?.length ?? 0) * (typeof part === 'string' ? 3 : 1), 0)
  const message = new OutgoingMessage(topic, key, value, headers, least, most, timestamp, null)
  message.owner = owner
  message.index = index
  return message
}

/** Bytes of key, value and headers as they are written. */
export function dataBytesOf({ key, value, headers }: OutgoingMessage): number {
  return [key, value, ...(headers ?? [])].reduce((sum: number, part) => sum + Math.max(sizeOfData(part), 0), 0)
}
