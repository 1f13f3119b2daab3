import { AbortedError, type KafkaProducerError } from '../errors.js'
import type { Observers } from './observer.js'
import type { StatsCounters } from './producer-stats.js'

/** Where a message was when it failed. */
export interface FailedAt {
  readonly topic: string
  /** Undefined before it has one. */
  readonly partition: number | undefined
  readonly attempts: number
}

interface Group {
  readonly at: FailedAt
  readonly error: KafkaProducerError
  messages: number
}

/** Messages that fail by themselves, and not with their batch: counted one by one, told together where they fail alike. */
export class Failures {
  private readonly groups = new Map<string, Group>()
  /** Mostly a message fails as the one before did, for the same cause. */
  private latest: Group | undefined

  constructor(
    private readonly counters: StatsCounters,
    private readonly observers: Observers,
  ) {}

  add(at: FailedAt, error: KafkaProducerError): void {
    this.counters.failed++
    if (isByCaller(error) || !this.observers.wantsEvents) return
    const { latest } = this
    if (latest?.error === error && latest.at.topic === at.topic && latest.at.partition === at.partition) {
      latest.messages++
      return
    }
    const key = `${at.topic} ${at.partition} ${at.attempts} ${error.code}`
    let group = this.groups.get(key)
    if (group === undefined) {
      if (this.groups.size === 0) queueMicrotask(this.tell)
      this.groups.set(key, (group = { at, error, messages: 0 }))
    }
    group.messages++
    this.latest = group
  }

  private readonly tell = (): void => {
    const groups = [...this.groups.values()]
    this.groups.clear()
    this.latest = undefined
    for (const { at, error, messages } of groups)
      this.observers.happened({ type: 'failed', ...at, brokerId: undefined, messages, error })
  }
}

/** Whether a signal, or the program of a transaction, took the message out: who aborted knows of it. */
export function isByCaller(error: KafkaProducerError): boolean {
  return error instanceof AbortedError || (error.code === 'TRANSACTION_ABORTED' && error.cause === undefined)
}
