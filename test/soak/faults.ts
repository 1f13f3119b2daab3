import type { EmbeddedKafka } from '../../src/testing/index.js'
import type { Dice } from '../simulation/dice.js'

/** One thing that goes wrong, and is put right by itself or by what it resolves with. */
type Fault = (kafka: EmbeddedKafka, topic: string, dice: Dice) => void | Promise<void>

const OUTAGE_MS = 2_000

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const anyBroker = ({ brokers }: EmbeddedKafka, dice: Dice) => dice.pick(brokers).id

/** By its name. All of them come in each round, so that no part of a long run has seen other ones than the rest. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'a broker stopped and started again': async (kafka, _, dice) => {
    const id = anyBroker(kafka, dice)
    await kafka.stopBroker(id)
    await wait(OUTAGE_MS)
    await kafka.startBroker(id)
  },
  // One stays, or producers that begin later would find nobody at the addresses they are given.
  'a broker that moves to another port': async (kafka, _, dice) => {
    const { id } = dice.pick(kafka.brokers.slice(1))
    await kafka.stopBroker(id)
    await kafka.startBroker(id, { port: 'new' })
  },
  'a broker that stands still': async (kafka, _, dice) => {
    const id = anyBroker(kafka, dice)
    kafka.pauseBroker(id)
    await wait(OUTAGE_MS)
    kafka.resumeBroker(id)
  },
  'a broker that refuses connections': async (kafka, _, dice) => {
    const id = anyBroker(kafka, dice)
    using _refused = kafka.refuseConnections(id)
    kafka.dropConnections(id)
    await wait(OUTAGE_MS)
  },
  'connections broken': (kafka, _, dice) => kafka.dropConnections(anyBroker(kafka, dice)),
  'bytes that nobody asked for': (kafka, _, dice) => kafka.babble(anyBroker(kafka, dice)),
  'leaders moved': (kafka, topic, dice) => {
    for (let partition = 0; partition < 6; partition++) kafka.moveLeader(topic, partition, anyBroker(kafka, dice))
  },
  'leaders elected': (kafka) => kafka.electLeaders(),
  'stale metadata': async (kafka, topic, dice) => {
    using _frozen = kafka.freezeMetadata()
    kafka.moveLeader(topic, dice.below(6), anyBroker(kafka, dice))
    await wait(OUTAGE_MS / 4)
  },
  'errors of leaders': (kafka, topic, dice) =>
    void kafka.fail({ api: 'Produce', topic, times: 20 }, dice.pick([3, 5, 6, 7, 19, 20, 56])),
  'errors of metadata': (kafka, topic, dice) =>
    void kafka.fail({ api: 'Metadata', topic, times: 3 }, dice.pick([3, 5, -1])),
  'requests and answers cut': (kafka, topic, dice) =>
    void kafka.cut({ api: 'Produce', topic, times: 3 }, dice.pick(['before', 'after', 'mid-response'])),
  'answers spoilt': (kafka, topic, dice) =>
    void kafka.spoil(
      { api: 'Produce', topic },
      dice.pick(['noise', 'wrong-correlation-id', 'huge-length', 'short-body']),
    ),
  'answers late': (kafka, topic, dice) => void kafka.delay({ api: 'Produce', topic, times: 20 }, dice.between(1, 200)),
  throttling: (kafka, topic, dice) => void kafka.throttle({ api: 'Produce', topic, times: 5 }, dice.between(1, 200)),
  'metadata held': async (kafka) => {
    using _held = kafka.stall({ api: 'Metadata', times: Infinity })
    await wait(OUTAGE_MS / 2)
  },
}

/** Faults one after the other, in an order of chance, until told to end. */
export class FaultSchedule {
  /** How many there were, by name. */
  readonly counts: Record<string, number> = {}
  private isEnding = false
  private running = Promise.resolve()

  constructor(
    private readonly kafka: EmbeddedKafka,
    private readonly topics: readonly string[],
    private readonly dice: Dice,
    private readonly everyMs: number,
  ) {}

  start(): void {
    this.running = this.run()
  }

  /** Resolves when all is well again. */
  async end(): Promise<void> {
    this.isEnding = true
    await this.running
    this.kafka.releaseFaults()
  }

  private async run(): Promise<void> {
    let round: [string, Fault][] = []
    while (!this.isEnding) {
      if (round.length === 0) round = Object.entries(FAULTS)
      const [[name, fault] = ['', () => undefined]] = round.splice(this.dice.below(round.length), 1)
      this.counts[name] = (this.counts[name] ?? 0) + 1
      await fault(this.kafka, this.dice.pick(this.topics), this.dice)
      await wait(this.everyMs)
    }
  }
}
