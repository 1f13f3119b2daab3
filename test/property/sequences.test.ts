import fc from 'fast-check'
import { expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { ConnectionClosedError, DeliveryError, DeliveryTimeoutError } from '../../src/errors.js'
import type { BrokerPartitionInfo } from '../../src/producer/brokers/broker-partition-info.js'
import { PartitionQueue, type PartitionBatch } from '../../src/producer/queues/partition-queue.js'
import type { RetryPolicy } from '../../src/producer/queues/retry-policy.js'
import { CompressionChoice } from '../../src/producer/queues/topic-compression.js'
import type { Sequencing } from '../../src/producer/sending/idempotence.js'
import { Outcomes } from '../../src/producer/sending/outcomes.js'
import { UNKNOWN_LEADER } from '../../src/protocol/apis/leader-hints.js'
import { BATCH_OVERHEAD, UNPOOLED, type Identity } from '../../src/protocol/records/record-batch.js'
import { RecordCursor } from '../../src/protocol/records/record-cursor.js'
import { Observers } from '../../src/stats/observer.js'
import { StatsCounters } from '../../src/stats/producer-stats.js'
import { Owner, outgoingMessage } from '../unit/producer/outgoing.js'

/*
 * The queue of one partition, what is made of answers, and a broker that finds duplicates and gaps as Kafka 1.0 and later do:
 * whatever becomes of requests and answers, its log holds each message once at the most, and all in the order given.
 */

const BATCH_BYTES = 160
const MOST_IN_FLIGHT = 5
const REMEMBERED = 5

/** A batch as it went on the wire. */
interface Wired {
  readonly batch: PartitionBatch
  readonly epoch: number
  readonly base: number
  readonly ids: readonly number[]
}

interface Remembered {
  readonly first: number
  readonly last: number
  readonly offset: number
}

/** The log of the partition, and what is remembered of the producer. */
class Log {
  readonly ids: number[] = []
  private state: { epoch: number; batches: Remembered[] } | undefined

  /** @param takesAny whether the first batch of a producer that is not known may have any sequence (KIP-360) */
  constructor(readonly takesAny: boolean) {}

  /** The error code, and the offset. */
  take({ epoch, base, ids }: Wired): readonly [number, number] {
    const { state } = this
    const last = base + ids.length - 1
    if (state === undefined) return base === 0 || this.takesAny ? this.append(epoch, base, last, ids) : [59, -1]
    if (epoch < state.epoch) return [47, -1]
    if (epoch > state.epoch) return base === 0 ? this.append(epoch, base, last, ids) : [45, -1]
    const known = state.batches.find((one) => one.first === base && one.last === last)
    if (known !== undefined) return [0, known.offset]
    return base === (state.batches.at(-1)?.last ?? -1) + 1 ? this.append(epoch, base, last, ids) : [45, -1]
  }

  private append(epoch: number, first: number, last: number, ids: readonly number[]): readonly [number, number] {
    const offset = this.ids.length
    this.ids.push(...ids)
    const batches = this.state?.epoch === epoch ? this.state.batches : []
    this.state = { epoch, batches: [...batches, { first, last, offset }].slice(-REMEMBERED) }
    return [0, offset]
  }

  forget(): void {
    this.state = undefined
  }
}

class World {
  readonly owner = new Owner()
  readonly queue: PartitionQueue
  readonly log: Log
  /** On their way to the leader, which answers them in this order. */
  wire: Wired[] = []
  identity: Identity = { producerId: 7n, epoch: 0 }
  given = 0
  freed = 0
  private waiting: (() => void)[] = []
  private readonly outcomes: Outcomes

  constructor(takesAny: boolean) {
    this.log = new Log(takesAny)
    const compression = new CompressionChoice(
      { compression: 'none', compressedTopics: [], topicCompression: {}, codecs: [] },
      BATCH_BYTES,
    )
    this.queue = new PartitionQueue('orders', 0, compression.limitOf('orders'), UNPOOLED)
    this.queue.isLedBy(1)
    const idempotence: Sequencing = {
      maySendUnnumbered: false,
      isTransactional: false,
      numberingFor: () => undefined,
      whenKnown: () => Promise.resolve(),
      problem: undefined,
      keeps: () => false,
      leave: (left) => {
        if (left === this.identity) this.bump()
      },
      leaveOut: () => undefined,
    }
    const policy: Pick<RetryPolicy, 'allowsAttemptAfter' | 'retryAfter'> = {
      allowsAttemptAfter: () => true,
      retryAfter: async () => {
        await new Promise<void>((resolve) => this.waiting.push(resolve))
        return true
      },
    }
    const info: Pick<BrokerPartitionInfo, 'doubtLeader' | 'refresh'> = {
      doubtLeader: () => undefined,
      refresh: () => Promise.resolve(),
    }
    this.outcomes = new Outcomes({
      clock: systemClock,
      topicPartitionInfos: info as BrokerPartitionInfo,
      policy: policy as RetryPolicy,
      counters: new StatsCounters(),
      observers: new Observers(),
      compression,
      idempotence,
      release: ({ messages }) => (this.freed += messages),
      enlist: () => undefined,
    })
  }

  /** Some partition has lost count: the next batches go under another epoch. */
  bump(): void {
    this.identity = { producerId: 7n, epoch: this.identity.epoch + 1 }
  }

  give(): void {
    this.queue.append(outgoingMessage(this.owner, this.given, { key: String(this.given), value: 'x'.repeat(30) }))
    this.given++
  }

  /** As a sender does it: what has its fate is left out first. */
  send(): void {
    const { queue, outcomes } = this
    if (!queue.isReadyFor(this.identity, MOST_IN_FLIGHT)) return
    const next = queue.peekNext() as PartitionBatch
    if (next.hasEnded) outcomes.thin(next)
    if (next.isSettled || !queue.isReadyFor(this.identity, MOST_IN_FLIGHT)) return
    const batch = queue.takeNext(0, this.identity, MOST_IN_FLIGHT)
    const bytes = batch.sealed()
    const { producerEpoch: epoch, baseSequence: base } = batch.producer
    this.wire.push({ batch, epoch, base, ids: idsIn(bytes) })
    outcomes.handedOver(batch)
  }

  /** The leader answers the oldest request: with what its log says, or with an error, having appended it or not. */
  answer(code = 0, appends = false, invalid: readonly number[] = []): void {
    const [oldest, ...others] = this.wire
    if (oldest === undefined) return
    this.wire = others
    const [own, offset] = code === 0 || appends ? this.log.take(oldest) : [0, -1]
    const answer = {
      index: 0,
      errorCode: own === 0 ? code : own,
      baseOffset: BigInt(offset),
      logAppendTimeMs: -1,
      logStartOffset: -1n,
      recordErrors: invalid
        .filter((batchIndex) => batchIndex < oldest.ids.length)
        .map((batchIndex) => ({ batchIndex, batchIndexErrorMessage: null })),
      errorMessage: null,
      currentLeader: UNKNOWN_LEADER,
    }
    this.outcomes.answered(oldest.batch, answer, false, 2, 0)
  }

  /** The connection is lost; the leader has taken some of what was on it. */
  lose(taken: number): void {
    const lost = this.wire
    this.wire = []
    for (const wired of lost.slice(0, taken)) this.log.take(wired)
    const batches = lost.map(({ batch }) => batch)
    this.outcomes.unanswered(batches, new ConnectionClosedError('lost'), true, 0)
  }

  /** The deadline of a message has passed. */
  expire(at: number): void {
    const open = upTo(this.given).filter((id) => !this.owner.isSettled(id))
    const id = open[Math.floor(at * open.length)]
    const batch = id === undefined ? undefined : (this.owner.batches[id] as PartitionBatch)
    if (id === undefined || batch === undefined) return
    this.owner.settle(id, batch.deliveryError(new DeliveryTimeoutError('late')))
    batch.countEnded()
    if (!batch.isInFlight) this.outcomes.thin(batch)
  }

  /** Whoever backs off goes on. */
  async goOn(): Promise<void> {
    for (const resolve of this.waiting.splice(0)) resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }

  /**
   * As after retention, or of an idle producer: brokers do not forget within the minutes that a batch is in doubt. Those that
   * take any sequence then take the second batch where they refuse the first, which no client can help.
   */
  forget(): void {
    if (this.wire.length === 0 && this.queue.sequences.mayBeTwice === undefined && !this.log.takesAny) this.log.forget()
  }

  check(): void {
    const { ids } = this.log
    // Each once, and in order.
    for (let i = 1; i < ids.length; i++) expect(ids[i]).toBeGreaterThan(ids[i - 1] as number)
    const written = new Set(ids)
    for (const [id, fates] of this.owner.fates.entries()) {
      if (fates === undefined) continue
      expect(fates).toHaveLength(1)
      const [fate] = fates
      if (!(fate instanceof DeliveryError)) expect(written, `${id} was acknowledged`).toContain(id)
      else if (!fate.mayHaveBeenWritten) expect(written, `${id} is not written: ${fate.code}`).not.toContain(id)
    }
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

function idsIn(bytes: Buffer): number[] {
  const ids: number[] = []
  const cursor = new RecordCursor(bytes, BATCH_OVERHEAD, bytes.length)
  while (cursor.next()) ids.push(Number(bytes.toString('utf8', cursor.keyAt, cursor.keyAt + cursor.keySize)))
  return ids
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('give' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const) }) },
  {
    weight: 4,
    arbitrary: fc.oneof(
      // REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR: either way.
      fc.record({ do: fc.constant('refuse' as const), code: fc.constantFrom(7, 20, 6, 56), appends: fc.boolean() }),
      // MESSAGE_TOO_LARGE, NOT_ENOUGH_REPLICAS, TOPIC_AUTHORIZATION_FAILED, OUT_OF_ORDER_SEQUENCE_NUMBER.
      fc.record({
        do: fc.constant('refuse' as const),
        code: fc.constantFrom(10, 19, 29, 45),
        appends: fc.constant(false),
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('invalid' as const),
      places: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), taken: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expire' as const), at: fc.double({ min: 0, max: 0.999 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('go on' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bump' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lead' as const), broker: fc.integer({ min: -1, max: 2 }) }) },
)

const INVALID_RECORD = 87

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

async function play(world: World, given: Step): Promise<void> {
  switch (given.do) {
    case 'give':
      for (let i = 0; i < given.count; i++) world.give()
      return
    case 'send':
      return world.send()
    case 'answer':
      return world.answer()
    case 'refuse':
      return world.answer(given.code, given.appends)
    case 'invalid':
      return world.answer(INVALID_RECORD, false, given.places)
    case 'lose':
      return world.lose(given.taken)
    case 'expire':
      return world.expire(given.at)
    case 'go on':
      return world.goOn()
    case 'bump':
      return world.bump()
    case 'forget':
      return world.forget()
    case 'lead':
      return world.queue.isLedBy(given.broker)
  }
}

/** A batch that may be in the log has its fate when its sequences start over, before what was wrong in it is left out. */
const REFUSED_BUT_IN_LOG: Step[] = [
  { do: 'give', count: 2 },
  { do: 'send' },
  { do: 'refuse', code: 7, appends: false },
  { do: 'go on' },
  { do: 'send' },
  { do: 'invalid', places: [0] },
]

it('whatever becomes of requests and answers, the log has each message once at the most, and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 60, size: 'max' }), async (takesAny, steps) => {
      const world = new World(takesAny)
      for (const one of steps) {
        await play(world, one)
        world.check()
      }
      world.queue.isLedBy(1)
      for (let round = 0; !world.queue.isEmpty; round++) {
        expect(round, 'it comes to an end').toBeLessThan(1_000)
        await world.goOn()
        world.send()
        world.answer()
        world.check()
      }
      for (const id of upTo(world.given)) expect(world.owner.fates[id], `the fate of ${id}`).toHaveLength(1)
      expect(world.freed).toBe(world.given)
      expect(world.queue.backlogBytes).toBe(0)
    }),
    { numRuns: 300, examples: [[false, REFUSED_BUT_IN_LOG]] },
  )
})
