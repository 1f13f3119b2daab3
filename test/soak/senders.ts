import { setTimeout as delay } from 'node:timers/promises'
import { DeliveryError, Producer, type DeliveryReport, type RecordMetadata } from '../../src/index.js'
import type { HeldWatch } from './held.js'

/** Promises that may be open at a time: what came while a broker is away is not made up for. */
const MAX_OPEN = 20_000
const TICK_MS = 10
const SHORT_LIVED_EVERY_MS = 10_000

export const TOPICS = ['sync', 'async', 'short'] as const
type Topic = (typeof TOPICS)[number]

export interface Fates {
  given: number
  acknowledged: number
  failed: number
  /** Failures by their code. */
  readonly codes: Record<string, number>
}

interface Senders {
  /** Messages a second, of all together; Infinity: as fast as it goes. */
  goAt(rate: number): void
  readonly fates: Readonly<Record<Topic, Fates>>
  close(): Promise<void>
}

/**
 * A producer whose promises are the acknowledgements; one of async mode, whose messages are compressed; and ones that live for
 * a few messages.
 */
export function startSenders(brokers: string, watch: HeldWatch): Senders {
  const none = (): Fates => ({ given: 0, acknowledged: 0, failed: 0, codes: {} })
  const fates: Record<Topic, Fates> = { sync: none(), async: none(), short: none() }
  const ended = (topic: Topic, error: unknown) => {
    const of = fates[topic]
    if (error === undefined) return void of.acknowledged++
    of.failed++
    const code = error instanceof DeliveryError ? error.code : 'none of ours'
    of.codes[code] = (of.codes[code] ?? 0) + 1
  }
  const common = { brokers, enqueueTimeoutMs: -1, deliveryTimeoutMs: 20_000, requestTimeoutMs: 2_000 } as const
  const sync = new Producer(common)
  const queued = new Producer({
    ...common,
    type: 'async',
    acks: 1,
    compression: 'gzip',
    onDelivery: ({ error }: DeliveryReport<string, string>) => ended('async', error),
  })
  const abort = new AbortController()
  // Messages that wait for a broker that is away are no news here.
  for (const producer of [sync, queued]) producer.on('warning', () => undefined)
  watch.listenersOf(abort.signal, 'abort')
  let rate = 0
  let isOpen = true
  const value = (i: number) =>
    JSON.stringify({ id: i, type: 'click', token: (i * 2_654_435_761).toString(36).repeat(8) })

  /** Half of all messages: `send` gives some and says when to go on. */
  const pace = async (send: (count: number) => Promise<unknown> | undefined) => {
    let due = 0
    while (isOpen) {
      const count = rate === Infinity ? 1_000 : Math.floor((due += (rate * TICK_MS) / 2_000))
      due -= rate === Infinity ? due : count
      const goOn = send(count)
      await (goOn ?? (rate === Infinity ? delay(0) : delay(TICK_MS)))
      if (goOn !== undefined && rate !== Infinity) await delay(TICK_MS)
    }
  }
  let open = 0
  const promised = pace((count) => {
    for (let i = 0; i < count && open < MAX_OPEN; i++) {
      open++
      const n = fates.sync.given++
      const settled = (error?: unknown) => {
        open--
        ended('sync', error)
      }
      sync
        .send({ topic: 'sync', key: `key-${n % 10_000}`, value: value(n) }, { signal: abort.signal })
        .then((_: readonly RecordMetadata[]) => settled(), settled)
    }
    return undefined
  })
  const reported = pace(async (count) => {
    for (let i = 0; i < count; i++) {
      const n = fates.async.given++
      await queued.send({ topic: 'async', key: `key-${n % 10_000}`, value: value(n) })
    }
  })
  const shortLived = (async () => {
    for (let last = performance.now(); isOpen; await delay(100)) {
      if (performance.now() - last < SHORT_LIVED_EVERY_MS) continue
      last = performance.now()
      const producer = new Producer(common)
      producer.on('warning', () => undefined)
      fates.short.given += 100
      const sends = Array.from({ length: 100 }, (_, i) => producer.send({ topic: 'short', value: value(i) }))
      for (const { status, reason } of (await Promise.allSettled(sends)) as PromiseRejectedResult[])
        ended('short', status === 'rejected' ? reason : undefined)
      await producer.close()
    }
  })()
  return {
    goAt: (messagesPerSecond) => void (rate = messagesPerSecond),
    fates,
    close: async () => {
      isOpen = false
      await Promise.all([promised, reported, shortLived])
      await Promise.all([sync.close(), queued.close()])
    },
  }
}
