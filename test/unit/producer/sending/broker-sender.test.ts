import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import { BrokerUnavailableError, AuthenticationError, type KafkaProducerError } from '../../../../src/errors.js'
import type { BrokerSession } from '../../../../src/network/session/session.js'
import { PartitionQueue, type PartitionBatch } from '../../../../src/producer/queues/partition-queue.js'
import { BrokerSender, type SenderParts } from '../../../../src/producer/sending/broker-sender.js'
import type { Numbering } from '../../../../src/producer/sending/idempotence.js'
import type { TransactionSequencing } from '../../../../src/producer/sending/transaction-sequencing.js'
import { TransactionAbortedError } from '../../../../src/producer/transactions/transaction-errors.js'
import type { ProduceResponse } from '../../../../src/protocol/apis/produce.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { Observers } from '../../../../src/stats/observer.js'
import { ManualTurn } from '../calls/admission-support.js'
import { Owner, outgoingMessage } from '../outgoing.js'

const LEADER = 1
const ADDRESS = { host: 'broker', port: 9092 }
const NOT_NUMBERED: Numbering = { identityFor: () => undefined, limit: 1, isCurrent: true }
const BYTES = new Uint8Array(1)

/** A connection that speaks Produce v9. */
function session({ wasHungUpOn = false } = {}) {
  const closed: (() => void)[] = []
  const connection = {
    isOpen: true,
    address: ADDRESS,
    wasHungUpOn,
    hurry: vi.fn(),
    onClose: (listener: () => void) => {
      closed.push(listener)
      return () => undefined
    },
    whileUsed: (promise: Promise<unknown>) => promise,
  }
  const close = () => closed.forEach((listener) => void listener())
  const its = { connection, throttle: { leftMs: 0 }, versions: { highest: () => 9 } } as unknown as BrokerSession
  return { ...its, close, hurry: connection.hurry }
}

/** A request that was written, and its answer: with acks 0, so that none says anything. */
interface Written {
  readonly topics: readonly string[]
  readonly answer: () => Promise<void>
}

/** A sender, whose broker's answers the test gives. */
class Sending {
  readonly turn = new ManualTurn()
  readonly written: Written[] = []
  /** Topics of batches, in the order in which their fate was told. */
  readonly told: string[] = []
  readonly gaveUp: string[] = []
  readonly onAnswered = vi.fn()
  readonly hungUp = vi.fn()
  session: BrokerSession | undefined = session()
  connectsWith: KafkaProducerError | undefined
  /** Why there is no way to the broker at all. */
  unknown: KafkaProducerError | undefined
  numbering: Numbering | undefined = NOT_NUMBERED
  whenKnown: () => Promise<void> = () => Promise.resolve()
  prepare: (batch: PartitionBatch) => boolean = () => true
  /** What a codec is at, by topic. */
  readonly codecs = new Map<string, Promise<Uint8Array>>()
  /** Topics whose codec is the user's: what it is at takes nobody's place. */
  readonly apart = new Set<string>()
  readonly sender: BrokerSender

  constructor(maxInFlight = 5, transactions?: Partial<TransactionSequencing>) {
    const tell = ({ queue }: PartitionBatch) => void this.told.push(queue.topic)
    const parts = {
      clock: systemClock,
      turn: this.turn,
      observers: new Observers(),
      transactions,
      topicId: () => null,
      metadataGeneration: () => 0,
      onAnswered: this.onAnswered,
      pool: { getProducer: () => this.producer },
      idempotence: { numberingFor: () => this.numbering, whenKnown: () => this.whenKnown() },
      preparation: {
        prepare: (batch: PartitionBatch) => this.prepare(batch),
        goesApart: ({ queue }: PartitionBatch) => this.apart.has(queue.topic),
        isTooLarge: () => false,
        encode: ({ queue }: PartitionBatch) => this.codecs.get(queue.topic) ?? BYTES,
      },
      outcomes: {
        handedOver: (batch: PartitionBatch) => batch.queue.handedOver(batch),
        acknowledged: tell,
        hungUp: this.hungUp,
        unanswered: (batches: readonly PartitionBatch[]) => batches.forEach(tell),
        giveUp: ({ topic }: PartitionQueue) => void this.gaveUp.push(topic),
      },
    }
    const config = { acks: 0, requestTimeoutMs: 1_000, maxRequestBytes: 100_000, maxInFlight }
    this.sender = new BrokerSender(LEADER, config, parts as unknown as SenderParts)
  }

  private get producer() {
    const { session: current } = this
    if (this.unknown !== undefined) throw this.unknown
    const send = (_: BrokerSession, __: number, { topicData }: { topicData: readonly { name: string }[] }) =>
      new Promise<ProduceResponse | undefined>((resolve) => {
        const answer = () => {
          resolve(undefined)
          return turnOver()
        }
        this.written.push({ topics: topicData.map(({ name }) => name), answer })
      })
    const connect = () => (this.connectsWith === undefined ? Promise.resolve() : Promise.reject(this.connectsWith))
    return { address: ADDRESS, session: current, send, connect, isRetired: false }
  }

  /** Has a codec work on the topic's batches until what this returns is called. */
  encodes(topic: string): () => Promise<void> {
    let end: (bytes: Uint8Array) => void = () => undefined
    this.codecs.set(topic, new Promise((resolve) => (end = resolve)))
    return () => {
      end(BYTES)
      return turnOver()
    }
  }

  /** A partition that has a message, until its sender has had its turn. */
  async give(topic: string): Promise<PartitionQueue> {
    const queue = this.enlist(topic)
    await turnOver()
    return queue
  }

  enlist(topic: string): PartitionQueue {
    const queue = new PartitionQueue(topic, 0, { plainBytes: 1_000, ratio: 1 }, UNPOOLED)
    queue.isLedBy(LEADER)
    queue.append(outgoingMessage(new Owner(), 0, { value: topic }))
    this.sender.enlist(queue)
    return queue
  }

  get topics(): string[] {
    return this.written.map(({ topics }) => topics.join())
  }
}

/** What is due now has been done, and what that made due. */
async function turnOver(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a broker’s sender', () => {
  it('goes on under the next identity where that has changed while it made a request', async () => {
    const sending = new Sending()
    let isCurrent = true
    sending.numbering = {
      ...NOT_NUMBERED,
      get isCurrent() {
        return isCurrent
      },
    }
    sending.prepare = () => {
      isCurrent = false
      sending.numbering = NOT_NUMBERED
      sending.prepare = () => true
      return true
    }
    sending.enlist('a')
    await sending.give('b')
    // Nobody else would send it: nothing is told that would wake the sender.
    expect(sending.topics).toEqual(['a', 'b'])
  })

  it('tells what was answered in the order of the requests on their connection', async () => {
    const sending = new Sending()
    for (const topic of ['a', 'b', 'c']) await sending.give(topic)
    expect(sending.topics).toEqual(['a', 'b', 'c'])
    await sending.written[2]?.answer()
    await sending.written[1]?.answer()
    expect(sending.told).toEqual([])
    await sending.written[0]?.answer()
    expect(sending.told).toEqual(['a', 'b', 'c'])
  })

  it('tells what was answered though one before it on another connection was not', async () => {
    const sending = new Sending()
    await sending.give('frozen')
    sending.session = session()
    await sending.give('b')
    await sending.written[1]?.answer()
    expect(sending.told).toEqual(['b'])
  })

  it('tells what was answered though a codec is still at one before it, which then waits for a place and has it first', async () => {
    const sending = new Sending(1)
    const encoded = ['x', 'y'].map((topic) => {
      sending.apart.add(topic)
      return sending.encodes(topic)
    })
    for (const topic of ['x', 'y', 'b', 'c']) await sending.give(topic)
    expect(sending.topics).toEqual(['b'])
    for (const end of encoded) await end()
    expect(sending.topics).toEqual(['b'])
    await sending.written[0]?.answer()
    expect(sending.told).toEqual(['b'])
    expect(sending.topics).toEqual(['b', 'x'])
    await sending.written[1]?.answer()
    expect(sending.topics).toEqual(['b', 'x', 'y'])
    await sending.written[2]?.answer()
    expect(sending.topics).toEqual(['b', 'x', 'y', 'c'])
  })

  it('has what a codec is through with take a place where there is one', async () => {
    const sending = new Sending(1)
    sending.apart.add('x')
    const encoded = sending.encodes('x')
    await sending.give('x')
    await encoded()
    await sending.give('b')
    expect(sending.topics).toEqual(['x'])
  })

  it.each([
    ['apart', ['x']],
    ['in its place', []],
  ])(
    'writes nothing of what a codec is through with once messages are told that they were not sent: %s',
    async (_, apart) => {
      const sending = new Sending()
      for (const topic of apart) sending.apart.add(topic)
      const encoded = sending.encodes('x')
      await sending.give('x')
      sending.sender.stop()
      await encoded()
      expect([sending.topics, sending.told]).toEqual([[], []])
      // All have been told: nothing waits for it any more.
      sending.sender.close()
      await turnOver()
      expect([sending.topics, sending.told]).toEqual([[], ['x']])
    },
  )

  it('tells the rest in a later turn where very much was answered at once, and sends on then', async () => {
    const sending = new Sending(1)
    await sending.give('a')
    await sending.give('b')
    sending.turn.spent = true
    await sending.written[0]?.answer()
    expect(sending.told).toEqual([])
    sending.turn.next()
    await turnOver()
    expect(sending.told).toEqual(['a'])
    expect(sending.topics).toEqual(['a', 'b'])
  })

  it('goes on in the next turn with a batch that has too many messages that end to look at all of them', async () => {
    const sending = new Sending()
    sending.prepare = () => {
      sending.prepare = () => true
      return false
    }
    await sending.give('a')
    expect(sending.topics).toEqual(['a'])
  })

  it('that knows no way to its broker tells all that is ready', async () => {
    const sending = new Sending()
    sending.unknown = new BrokerUnavailableError('of the test')
    await sending.give('a')
    expect(sending.told).toEqual(['a'])
  })

  it('takes nothing of a partition that backs off by the time that there is no connection', async () => {
    const sending = new Sending()
    sending.session = undefined
    sending.connectsWith = new BrokerUnavailableError('of the test')
    const [waiting] = [sending.enlist('a'), sending.enlist('b')]
    waiting.backOff()
    await turnOver()
    expect(sending.told).toEqual(['b'])
    expect([waiting.isInFlight, waiting.isListedWith(LEADER)]).toEqual([false, false])
  })

  it.each([
    [new BrokerUnavailableError('of the test'), []],
    [new AuthenticationError('of the test'), ['a', 'b']],
  ])(
    'that can’t connect tells all that is ready, and what is behind where no retry helps: %s',
    async (error, gaveUp) => {
      const sending = new Sending()
      sending.session = undefined
      sending.connectsWith = error
      sending.enlist('a')
      await sending.give('b')
      expect(sending.told).toEqual(['a', 'b'])
      expect(sending.gaveUp).toEqual(gaveUp)
      expect(sending.onAnswered).toHaveBeenCalled()
      // What comes later has a try of its own.
      sending.session = session()
      await sending.give('c')
      expect(sending.topics).toEqual(['c'])
    },
  )

  it('sends what is ready once it is known who this producer is, and tells it all where nobody says', async () => {
    const sending = new Sending()
    sending.numbering = undefined
    let know: () => void = () => undefined
    sending.whenKnown = () => new Promise((resolve) => (know = resolve))
    await sending.give('a')
    await sending.give('b')
    expect(sending.topics).toEqual([])
    sending.numbering = NOT_NUMBERED
    know()
    await turnOver()
    expect(sending.topics).toEqual(['a,b'])
    sending.numbering = undefined
    sending.whenKnown = () => Promise.reject(new BrokerUnavailableError('of the test'))
    await sending.give('c')
    expect(sending.told).toEqual(['c'])
    sending.numbering = NOT_NUMBERED
    await sending.give('d')
    expect(sending.topics).toEqual(['a,b', 'd'])
  })

  it.each([
    ['by the broker', true, 1],
    ['by this client', false, 0],
  ])('with acks 0 tells once of a connection that was ended %s', async (_, wasHungUpOn, times) => {
    const sending = new Sending()
    const its = session({ wasHungUpOn })
    sending.session = its
    await sending.give('a')
    await sending.give('b')
    its.close()
    expect(sending.hungUp).toHaveBeenCalledTimes(times)
    const next = session({ wasHungUpOn })
    sending.session = next
    await sending.give('c')
    next.close()
    expect(sending.hungUp).toHaveBeenCalledTimes(2 * times)
  })

  /** One of two batches has its fate ahead of its answer, then the other. */
  async function endBoth(sending: Sending): Promise<number[]> {
    const batches: PartitionBatch[] = []
    sending.prepare = (batch) => batches.push(batch) > 0
    const its = session()
    sending.session = its
    await sending.give('a')
    await sending.give('b')
    return batches.map((batch) => {
      batch.endOne(0, new BrokerUnavailableError('of the test'), 0)
      sending.sender.giveUpUnneeded()
      return its.hurry.mock.calls.length
    })
  }

  it('hurries a broker that owes answers once nobody waits for any of them', async () => {
    expect(await endBoth(new Sending())).toEqual([0, 2])
  })

  it('hurries none in a transaction: what is being written must be over when it is aborted', async () => {
    const sending = new Sending(5, { failure: undefined, maxProduceVersion: 9, lets: () => true })
    expect(await endBoth(sending)).toEqual([0, 0])
  })

  it('has all that is ready given up once its transaction has failed', async () => {
    const lets = vi.fn(() => false)
    const sending = new Sending(5, { failure: new TransactionAbortedError(), lets })
    const queues = [sending.enlist('a'), sending.enlist('b')]
    await turnOver()
    expect(lets.mock.calls).toEqual(queues.map((queue) => [queue]))
    for (const queue of queues) expect(queue.isListedWith(LEADER)).toBe(false)
    expect(sending.onAnswered).toHaveBeenCalled()
    expect(sending.topics).toEqual([])
  })
})
