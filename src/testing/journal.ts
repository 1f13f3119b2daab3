import type { Clock } from '../clock.js'
import { API_NAMES, type ApiName } from './api-names.js'
import { fields, oneOf, text, wholeNumber } from './checks.js'
import { Newest } from './newest.js'
import { Changes, waitFor } from './waiting.js'

/** What a request asks for of one partition. */
export interface RequestedPartition {
  readonly partition: number
  /** Of a Produce: batches, or entries of a message set; -1 where their sizes make no sense. Otherwise 0. */
  readonly batches: number
  /** Of a Produce: bytes of the records. Otherwise 0. */
  readonly bytes: number
}

export interface RequestedTopic {
  readonly topic: string
  /** Empty where the request names topics only. */
  readonly partitions: readonly RequestedPartition[]
}

/** A request as a broker received it. */
export interface ReceivedRequest {
  /** Counts all requests of the cluster from 0 in the order they came. */
  readonly index: number
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly broker: number
  /** Counts the connections of the cluster from 1. */
  readonly connection: number
  /** -1 where not even the header could be read; so is `apiVersion` then. */
  readonly apiKey: number
  /** Undefined where the embedded broker has no such request. */
  readonly api: ApiName | undefined
  readonly apiVersion: number
  readonly clientId: string | null
  readonly correlationId: number
  /** Bytes on the wire without the four of the size. */
  readonly sizeBytes: number
  /** Of a Produce, else undefined. */
  readonly acks: number | undefined
  readonly topics: readonly RequestedTopic[]
  /**
   * What it was when the broker closed the connection over it instead of answering, as Kafka does with what it can't read
   * or serve: `'hung up on Metadata v12: 4 bytes wanted, 2 left at byte 13'`. Else undefined.
   */
  readonly hungUp: string | undefined
}

/** An entry of the journal; whoever serves the request says here how that ended. */
export type JournalEntry = ReceivedRequest & { hungUp: string | undefined }

/** Which requests are meant: by some of their fields, or a function that says. */
export type RequestFilter =
  | {
      api?: ApiName | undefined
      topic?: string | undefined
      broker?: number | undefined
      clientId?: string | undefined
    }
  | ((request: ReceivedRequest) => boolean)

type FieldsOfRequest = Exclude<RequestFilter, (request: ReceivedRequest) => boolean>

export const checkFilter = fields<FieldsOfRequest>({
  api: oneOf(API_NAMES),
  topic: text,
  broker: wholeNumber(0),
  clientId: text,
})

export interface WaitOptions {
  /** Default: 10,000. */
  timeoutMs?: number | undefined
}

/** Remembers the newest requests. */
export class Journal {
  private readonly entries: Newest<JournalEntry>
  private next = 0
  private readonly changes = new Changes()
  /** What each wait looks at: what was remembered when it began, and all that has come since. */
  private readonly watched = new Set<JournalEntry[]>()

  /** @param onHangUp told of each request that the broker hung up on */
  constructor(
    private readonly limit: number,
    private readonly lifetime: AbortSignal,
    private readonly onHangUp: (request: ReceivedRequest) => void,
    private readonly clock: Clock,
  ) {
    this.entries = new Newest(limit)
  }

  add(request: Omit<ReceivedRequest, 'index' | 'hungUp'>): JournalEntry {
    const entry = { index: this.next++, ...request, hungUp: undefined }
    this.entries.add(entry)
    for (const entries of this.watched) entries.push(entry)
    this.changes.notify()
    return entry
  }

  hungUp(entry: JournalEntry, why: string): void {
    const { apiKey, api, apiVersion } = entry
    const what = api ?? (apiKey < 0 ? undefined : `API key ${apiKey}`)
    entry.hungUp = `hung up on ${what === undefined ? 'what is no request' : `${what} v${apiVersion}`}: ${why}`
    this.changes.notify()
    this.onHangUp(entry)
  }

  newest(): JournalEntry[] {
    return this.entries.all()
  }

  clear(): void {
    this.entries.clear()
    for (const entries of this.watched) entries.length = 0
  }

  /** The `count`-th request that matches, of those remembered and those to come, of which none is forgotten meanwhile. */
  async wait(filter: RequestFilter, count: number, { timeoutMs = 10_000 }: WaitOptions): Promise<ReceivedRequest> {
    const matches = typeof filter === 'function' ? filter : byFields(filter)
    const entries = this.newest()
    const found = (): ReceivedRequest[] => {
      // Of those that are remembered no more only what counts is kept.
      const first = this.next - this.limit
      const kept = entries.filter((entry) => entry.index >= first || matches(entry))
      kept.forEach((entry, index) => (entries[index] = entry))
      entries.length = kept.length
      return kept.filter(matches)
    }
    this.watched.add(entries)
    try {
      return await waitFor(() => found()[count - 1], {
        clock: this.clock,
        changes: this.changes,
        timeoutMs,
        lifetime: this.lifetime,
        missing: () => `${found().length} of ${count} requests have come`,
      })
    } finally {
      this.watched.delete(entries)
    }
  }
}

function byFields(filter: FieldsOfRequest) {
  return (request: ReceivedRequest): boolean =>
    (filter.api === undefined || filter.api === request.api) &&
    (filter.broker === undefined || filter.broker === request.broker) &&
    (filter.clientId === undefined || filter.clientId === request.clientId) &&
    (filter.topic === undefined || request.topics.some(({ topic }) => topic === filter.topic))
}
