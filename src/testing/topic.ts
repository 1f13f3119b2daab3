import { given } from '../given.js'
import { nearestName } from '../wording/nearest-name.js'
import { shown } from '../wording/shown.js'
import { invalid, oneOf } from './checks.js'
import { PartitionLog } from './partition-log.js'
import { ProducerStates } from './producer-states.js'
import type { Release } from './releases.js'
import { SETTING_NAMES } from './topic-settings.js'
import { PartitionTransactions } from './transactions/partition-transactions.js'
import { Changes } from './waiting.js'

/** What Kafka takes at the least. */
const LEAST = { 'max.message.bytes': 0, 'min.insync.replicas': 1, 'retention.bytes': -Infinity } as const

const TIMESTAMP_TYPE = 'message.timestamp.type'
const LOG_APPEND_TIME = 'LogAppendTime'
const checkTimestamps = oneOf(['CreateTime', LOG_APPEND_TIME])
const checkPolicy = oneOf(['compact', 'delete'])

function checkName(name: string): void {
  if (SETTING_NAMES.includes(name)) return
  const near = nearestName(name, SETTING_NAMES)
  throw invalid(`no topic has the setting ${shown(name)}${near === undefined ? '' : `: did you mean '${near}'?`}`)
}

/** A topic's settings under Kafka's names, and what those mean that have an effect. */
export class TopicConfig {
  constructor(readonly entries: ReadonlyMap<string, string>) {}

  /** Throws `INVALID_OPTION` for a setting that no release has, and for a value without the effect that is wanted of it. */
  static of(config: Readonly<Record<string, string | number | undefined>>): TopicConfig {
    const topicConfig = new TopicConfig(
      new Map(Object.entries(given(config)).map(([name, value]) => [name, String(value)])),
    )
    for (const name of topicConfig.entries.keys()) checkName(name)
    for (const name of Object.keys(LEAST) as (keyof typeof LEAST)[]) topicConfig.number(name)
    for (const policy of topicConfig.list('cleanup.policy')) if (policy !== '') checkPolicy('cleanup.policy', policy)
    const timestamps = topicConfig.entries.get(TIMESTAMP_TYPE)
    if (timestamps !== undefined) checkTimestamps(TIMESTAMP_TYPE, timestamps)
    return topicConfig
  }

  get compacted(): boolean {
    return this.list('cleanup.policy').includes('compact')
  }

  get logAppendTime(): boolean {
    return this.entries.get(TIMESTAMP_TYPE) === LOG_APPEND_TIME
  }

  get maxMessageBytes(): number | undefined {
    return this.number('max.message.bytes')
  }

  get minInsyncReplicas(): number | undefined {
    return this.number('min.insync.replicas')
  }

  /** Undefined where the topic may keep everything, which is -1 to Kafka: memory is bounded all the same. */
  get retentionBytes(): number | undefined {
    const bytes = this.number('retention.bytes')
    return bytes === undefined || bytes < 0 ? undefined : bytes
  }

  /** The newest record format, where `message.format.version` says. */
  get maxMagic(): 0 | 1 | 2 | undefined {
    const version = this.entries.get('message.format.version')
    if (version === undefined) return undefined
    if (/^0\.[89](\.|$)/.test(version)) return 0
    return /^0\.10(\.|$)/.test(version) ? 1 : 2
  }

  private list(name: string): string[] {
    return (this.entries.get(name) ?? '').split(',').map((part) => part.trim())
  }

  private number(name: keyof typeof LEAST): number | undefined {
    const text = this.entries.get(name)
    if (text === undefined) return undefined
    const value = text.trim() === '' ? NaN : Number(text)
    const least = LEAST[name]
    if (!Number.isInteger(value) || value < least)
      throw invalid(`${name} must be an integer of at least ${least}, not ${text}`)
    return value
  }
}

/** One partition: who leads it, who is in sync, and its log, which all its replicas share. */
export class Partition {
  /** -1: none at present. */
  leader = -1
  leaderEpoch = -1
  isr: number[]
  readonly log: PartitionLog
  readonly producers = new ProducerStates()
  readonly transactions = new PartitionTransactions()
  /** Tells of every append, and of changes of its leader. */
  readonly changes = new Changes()

  constructor(
    readonly topic: string,
    readonly index: number,
    readonly replicas: readonly number[],
    retentionBytes: number,
  ) {
    this.isr = [...replicas]
    this.log = new PartitionLog(retentionBytes)
  }

  /** The offset before which every transaction has ended; not before the log, where retention took the start of an open one. */
  get lastStableOffset(): number {
    return Math.max(this.transactions.firstOpenOffset ?? this.log.endOffset, this.log.startOffset)
  }

  /** What is wrong with the epoch that a client believes in (KIP-320); -1 is a client that does not say. */
  epochError(epoch: number): 'FENCED_LEADER_EPOCH' | 'UNKNOWN_LEADER_EPOCH' | undefined {
    if (epoch === -1 || epoch === this.leaderEpoch) return undefined
    return epoch < this.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH'
  }

  /** Retention takes all that was written so far. */
  empty(release: Release): void {
    this.log.empty()
    this.producers.beginsAt(this.log.startOffset, release)
  }

  /** The newest entries of the log are lost, as where a replica leads that was not in sync. */
  truncate(count: number): void {
    this.log.truncate(count)
    this.producers.endsAt(this.log.endOffset)
    this.transactions.endsAt(this.log.endOffset)
  }

  /** Every change of the leader, to none too, begins a new epoch. */
  lead(leader: number): void {
    if (this.leader === leader) return
    this.leader = leader
    this.leaderEpoch++
    this.changes.notify()
  }
}

export class Topic {
  readonly partitions: Partition[] = []

  constructor(
    readonly name: string,
    readonly id: Buffer,
    readonly replicationFactor: number,
    readonly config: TopicConfig,
    readonly isInternal: boolean,
  ) {}
}
