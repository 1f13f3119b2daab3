import type { RecordMetadata } from '../../src/index.js'
import type { StoredRecord } from '../../src/testing/index.js'
import type { Oddity } from './scenario.js'

/** A rule that was broken. What stands before the colon names the rule, and stays the same where a scenario shrinks. */
export class Violation extends Error {
  constructor(
    readonly rule: string,
    detail: string,
  ) {
    super(`${rule}: ${detail}`)
  }
}

export type Fate =
  | { readonly kind: 'acknowledged'; readonly metadata: RecordMetadata; readonly attempts?: number }
  | { readonly kind: 'failed'; readonly code: string; readonly mayHaveBeenWritten: boolean; readonly attempts?: number }
  /** It was not taken in, so nothing more is told of it. */
  | { readonly kind: 'refused'; readonly code: string }

/** A message, and what became of it. */
export interface Entry {
  readonly id: number
  /** Which producer it was given to. */
  readonly by: number
  readonly topic: string
  /** That it was given for. */
  readonly partition: number | undefined
  readonly key: string | null
  readonly value: string
  readonly hasHeaders: boolean
  readonly timestamp: number | undefined
  /** Where its key may have put it, however many partitions its topic had; undefined where nobody can tell. */
  readonly places: ReadonlySet<number> | undefined
  readonly odd: Oddity | undefined
  /** Which one it was given with. */
  readonly signal: number | undefined
  readonly sentAt: number
  fate: Fate | undefined
  /** When that was told. */
  toldAt?: number
}

/** Long before any time that is played here, and after all that is no time. */
const SOME_DAY = 1_000_000_000_000

function isWrong({ odd }: Entry): boolean {
  return odd === 'invalid' || odd === 'wrong signal'
}

/** What a message that was not written is tried again for, until its deadline. */
export const PASSING: readonly string[] = [
  ...['CONNECTION_CLOSED', 'CONNECTION_FAILED', 'REQUEST_TIMEOUT', 'MALFORMED_RESPONSE', 'METADATA_UNAVAILABLE'],
  ...['BROKER_UNAVAILABLE', 'NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'NOT_ENOUGH_REPLICAS', 'NOT_CONTROLLER'],
  ...['NETWORK_EXCEPTION', 'KAFKA_STORAGE_ERROR', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH', 'UNKNOWN_TOPIC_ID'],
  'REQUEST_TIMED_OUT',
]

const LOST_COUNT: ReadonlySet<string> = new Set(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'])

/** Topics that were deleted, with what they held; and those there are. */
export interface Incarnation {
  readonly topic: string
  readonly records: readonly StoredRecord[]
}

/** Each message that was given, its fates as they were told, and the rules that these follow. */
export class Ledger {
  readonly entries = new Map<number, Entry>()
  private openCount = 0

  constructor(
    private readonly now: () => number,
    private readonly trace: (what: string) => void,
  ) {}

  get open(): number {
    return this.openCount
  }

  given(entry: Entry): void {
    this.entries.set(entry.id, entry)
    this.openCount++
  }

  tell(id: number, fate: Fate): void {
    const entry = this.entries.get(id)
    if (entry === undefined) throw new Violation('of a message that was given', `fate of ${id}, which nobody gave`)
    this.trace(`${id} ${fate.kind} ${fate.kind === 'acknowledged' ? fate.metadata.offset : fate.code}`)
    if (isWrong(entry) && fate.kind !== 'refused')
      throw new Violation('nothing is sent of a call that is wrong', `${id} ${fate.kind}`)
    if (entry.fate !== undefined)
      throw new Violation('one fate', `${id} was ${entry.fate.kind}, then ${fate.kind} ${JSON.stringify(shown(fate))}`)
    entry.fate = fate
    entry.toldAt = this.now()
    this.openCount--
  }

  /** Of all messages that were given. */
  get size(): { readonly messages: number; readonly bytes: number } {
    let bytes = 0
    for (const { value } of this.entries.values()) bytes += value.length
    return { messages: this.entries.size, bytes }
  }

  /** No message is older than that without a fate. */
  checkDeadlines(patienceMs: number): void {
    if (this.openCount === 0) return
    for (const { id, sentAt, fate } of this.entries.values())
      if (fate === undefined && this.now() - sentAt > patienceMs)
        throw new Violation('a fate by its deadline', `${id} of ${sentAt} has none at ${this.now()}`)
  }

  /** What was told against what is there. */
  checkStored(
    incarnations: readonly Incarnation[],
    acks: number,
    retries: number,
    passing: ReadonlySet<string> = new Set(PASSING),
    remadeAt: ReadonlyMap<string, number> = new Map(),
  ): void {
    const places = new Map<number, (StoredRecord & { readonly of: number })[]>()
    incarnations.forEach(({ records }, of) => {
      for (const record of records) {
        const id = this.check(record)
        const found = places.get(id)
        if (found === undefined) places.set(id, [{ ...record, of }])
        else found.push({ ...record, of })
      }
    })
    const last = new Map<string, { id: number; offset: bigint }>()
    for (const entry of this.entries.values()) {
      const { id, fate } = entry
      const found = places.get(id) ?? []
      if (fate === undefined) throw new Violation('one fate', `${id} has none at the end`)
      const numbered = found.filter(({ sequence }) => sequence >= 0)
      if (new Set(numbered.map(({ of, producerId }) => `${of} ${producerId}`)).size < numbered.length)
        throw new Violation('with a sequence never twice', `${id}: ${numbered.map(({ offset }) => offset).join(', ')}`)
      const isPassing = passing.has(fate.kind === 'acknowledged' ? '' : fate.code) && entry.odd !== 'ahead'
      if (fate.kind === 'failed' && !fate.mayHaveBeenWritten && retries === Infinity && isPassing)
        throw new Violation('what passes ends no message', `${id} failed with ${fate.code}`)
      if (fate.kind === 'refused' && found.length > 0)
        throw new Violation('what was refused is not there', `${id}, refused with ${fate.code}, is`)
      if (fate.kind === 'failed' && !fate.mayHaveBeenWritten && found.length > 0)
        throw new Violation('mayHaveBeenWritten', `${id}, failed with ${fate.code}, is there and was said not to be`)
      if ('attempts' in fate && fate.attempts !== undefined) {
        if (fate.attempts > retries + 1) throw new Violation('attempts', `${id} had ${fate.attempts}`)
        if (fate.attempts < found.length && fate.kind === 'acknowledged')
          throw new Violation('written no more often than attempted', `${id}: ${found.length}, ${fate.attempts}`)
      }
      if (fate.kind !== 'acknowledged' || acks === 0) continue
      const { topic, partition, offset, timestamp } = fate.metadata
      const there = found.filter((record) => record.partition === partition && record.offset === offset)
      if (topic !== entry.topic || there.length === 0)
        throw new Violation('acknowledged means there', `${id} is not at ${topic}-${partition}, ${offset}`)
      if (there.length === 1 && there[0]?.magic !== 0 && there[0]?.timestamp !== timestamp)
        throw new Violation('told when it was stored', `${id}: ${timestamp}, and is ${there[0]?.timestamp}`)
      // What was on its way when the topic was made anew may have been in the old one, with what came behind it: brokers take
      // any sequence for the first of a new one.
      if (entry.sentAt < (remadeAt.get(topic) ?? -Infinity)) continue
      // Of topics made anew the same place may hold it twice.
      const place = `${entry.by} ${there[0]?.of} ${topic}-${partition}`
      const before = last.get(place)
      if (there.length === 1 && before !== undefined && before.offset >= offset)
        throw new Violation(
          'order',
          `${id} at ${offset} of ${topic}-${partition}, and ${before.id} at ${before.offset}`,
        )
      if (there.length === 1) last.set(place, { id, offset })
    }
  }

  /** Where brokers don't lose count nobody does: sequences are no business of the user's. */
  checkCount(): void {
    for (const { id, fate } of this.entries.values())
      if (fate !== undefined && fate.kind !== 'acknowledged' && LOST_COUNT.has(fate.code))
        throw new Violation('nobody loses count', `${id} failed with ${fate.code}`)
  }

  /** Where what goes wrong is none of their business messages are acknowledged soon. */
  checkPrompt(withinMs: number): void {
    for (const { id, fate, sentAt, toldAt = Infinity } of this.entries.values())
      if (fate?.kind !== 'acknowledged' || toldAt - sentAt > withinMs)
        throw new Violation(
          'what is wrong elsewhere holds up nobody',
          `${id} ${fate?.kind} after ${toldAt - sentAt} ms`,
        )
  }

  /** Where nothing goes wrong nothing fails, but for what the user asked for. */
  checkPeace(mayFail: (entry: Entry, code: string) => boolean): void {
    for (const entry of this.entries.values()) {
      const { fate, id } = entry
      if (fate !== undefined && fate.kind !== 'acknowledged' && !mayFail(entry, fate.code))
        throw new Violation('no fault, no failure', `${id} ${fate.kind} ${fate.code}`)
    }
  }

  /** A record is what was given. */
  private check({ topic, partition, key, value, headers, timestamp, magic }: StoredRecord): number {
    const text = value?.toString() ?? ''
    const id = idOf({ value })
    const entry = this.entries.get(id)
    const wrong = (what: string) =>
      new Violation('the bytes given', `${what} of ${id} in ${topic}: ${text.slice(0, 40)}`)
    if (entry === undefined) throw wrong('the id')
    if (entry.topic !== topic) throw wrong('the topic')
    if (entry.value !== text) throw wrong('the value')
    if ((key?.toString() ?? null) !== entry.key) throw wrong('the key')
    if (entry.partition !== undefined && entry.partition !== partition) throw wrong('the partition')
    if (headers.length !== (entry.hasHeaders ? 1 : 0)) throw wrong('the headers')
    if (magic > 0 && (entry.timestamp === undefined ? timestamp < SOME_DAY : timestamp !== entry.timestamp))
      throw wrong('the timestamp')
    if (entry.places?.has(partition) === false) throw wrong('the partition')
    return id
  }
}

/** Of the message that a record is. */
export function idOf({ value }: Pick<StoredRecord, 'value'>): number {
  return Number(/^#(\d+)#/.exec(value?.toString() ?? '')?.[1])
}

function shown(fate: Fate): object {
  return fate.kind === 'acknowledged' ? { offset: String(fate.metadata.offset) } : fate
}
