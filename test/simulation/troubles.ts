import { EmbeddedKafkaError, type EmbeddedKafka } from '../../src/testing/index.js'
import type { Incarnation } from './ledger.js'
import { CROWD_PORTS, type Lie } from './lies.js'
import type { SimNetwork } from './network.js'
import type { Action, UserAction } from './scenario.js'
import type { VirtualClock } from './virtual-clock.js'

const REFUSED_WITH: ReadonlyMap<Lie, string> = new Map([
  ['hints', 'NOT_LEADER_OR_FOLLOWER'],
  ['text', 'TOPIC_AUTHORIZATION_FAILED'],
  ['indexes', 'INVALID_RECORD'],
])
/** Partitions of a topic that has grown. */
export const GROWN_TO = 25
const DEAF_MS = 600_000
const SILENT_CROWD = CROWD_PORTS.filter((port) => port % 2 === 0)

/** What befalls a cluster, the network before it and the clocks. */
export class Troubles {
  /** How long the process stood still: so much later deadlines are told. */
  stalledMs = 0
  /** Topics that were deleted, with what they held. */
  readonly gone: Incarnation[] = []
  /** When topics were last deleted, or made anew. */
  readonly remadeAt = new Map<string, number>()
  private readonly endings: (() => void)[] = []

  constructor(
    private readonly kafka: EmbeddedKafka,
    private readonly network: SimNetwork,
    private readonly clock: VirtualClock,
    private readonly trace: (what: string) => void,
    private readonly broke: (error: unknown) => void,
  ) {}

  /** From here on nothing is wrong with anything. */
  heal(partitionsOf: Readonly<Record<string, number>>): void {
    const { kafka, network } = this
    for (const end of this.endings.splice(0)) end()
    kafka.releaseFaults()
    network.heal()
    for (const { id, state } of kafka.brokers) {
      if (state === 'paused') kafka.resumeBroker(id)
      if (state === 'stopped') this.started(kafka.startBroker(id))
    }
    kafka.electLeaders()
    for (const [topic, partitions] of Object.entries(partitionsOf))
      if (!this.hasTopic(topic)) kafka.createTopic(topic, { partitions })
      // It may have been created on demand.
      else if (!this.hasTopic(topic, partitions - 1)) kafka.setPartitions(topic, partitions)
  }

  private started(starting: Promise<void>): void {
    starting.catch((error: unknown) => {
      // One that was about to come back by itself is being started already.
      if (!(error instanceof EmbeddedKafkaError && error.code === 'WRONG_STATE')) this.broke(error)
    })
  }

  hasTopic(topic: string, partition = 0): boolean {
    try {
      this.kafka.leaderOf(topic, partition)
      return true
    } catch {
      return false
    }
  }

  /** Ends it so much later, or when all is healed. */
  private endAfter(ms: number, end: () => void): void {
    this.clock.for('scenario').setTimeout(end, ms)
    this.endings.push(end)
  }

  meet(action: Exclude<Action, UserAction>): void {
    const { kafka, clock } = this
    switch (action.do) {
      case 'jump':
        return clock.jump(action.ms)
      case 'hang':
        this.stalledMs += action.ms
        return clock.stall(action.ms)
      case 'fail': {
        const { api, topic, times } = action
        const error = action.whileWaiting ? 'NOT_LEADER_OR_FOLLOWER' : action.error
        const options = action.whileWaiting || action.appends ? { append: true } : {}
        return void kafka.fail({ api, times, ...(topic !== undefined && { topic }) }, error, options)
      }
      case 'cut':
        return void kafka.cut({ api: action.api, times: action.times }, action.moment)
      case 'delay':
        return void kafka.delay({ api: action.api, times: action.times }, action.ms)
      case 'stall': {
        const fault = kafka.stall({ api: action.api }, action.moment)
        return this.endAfter(action.ms, () => fault.release())
      }
      case 'spoil':
        return void kafka.spoil({ api: action.api }, action.how)
      case 'lie':
        return this.lie(action)
      case 'throttle':
        return void kafka.throttle({ api: action.api, times: action.times }, action.ms)
      case 'move':
        if (this.hasTopic(action.topic) && this.isAlive(action.broker))
          this.attempt(() => kafka.moveLeader(action.topic, action.partition, action.broker))
        return
      case 'delete':
      case 'recreate':
        if (!this.hasTopic(action.topic)) return
        this.gone.push({ topic: action.topic, records: kafka.records(action.topic) })
        this.remadeAt.set(action.topic, this.clock.now)
        if (action.do === 'delete') kafka.deleteTopic(action.topic)
        else kafka.recreateTopic(action.topic)
        return
      case 'grow':
        if (this.hasTopic(action.topic)) this.attempt(() => kafka.setPartitions(action.topic, GROWN_TO))
        return
      default:
        return this.meetBroker(action)
    }
  }

  private lie({ api, how, times }: Extract<Action, { readonly do: 'lie' }>): void {
    // Some are about what was refused.
    const error = REFUSED_WITH.get(how)
    if (error !== undefined) this.kafka.fail({ api, times }, error)
    if (how === 'crowd') for (const port of SILENT_CROWD) this.network.beDeaf(port, DEAF_MS)
    this.network.lies.order(api, how, times)
  }

  private isAlive(broker: number): boolean {
    return this.kafka.brokers.find(({ id }) => id === broker)?.state !== 'stopped'
  }

  /** What can't be done at this moment is left. */
  private attempt(change: () => void): void {
    try {
      change()
    } catch (error) {
      this.trace(`not done: ${(error as Error).message}`)
    }
  }

  private meetBroker(action: Extract<Action, { readonly broker: number }>): void {
    const { kafka, network, clock } = this
    const { broker } = action
    if (!this.isAlive(broker)) return
    const port = kafka.brokers.find(({ id }) => id === broker)?.port as number
    switch (action.do) {
      case 'pause':
        kafka.pauseBroker(broker)
        return this.endAfter(action.ms, () => kafka.resumeBroker(broker))
      case 'freeze': {
        const frozen = kafka.freezeMetadata(broker)
        return this.endAfter(action.ms, () => frozen.release())
      }
      case 'refuse': {
        const refusal = kafka.refuseConnections(broker)
        return this.endAfter(action.ms, () => refusal.release())
      }
      case 'deafen':
        return network.beDeaf(port, action.ms)
      case 'silence':
        for (const wire of network.to(port)) wire.silentUntil = clock.now + action.ms
        return
      case 'reset':
        for (const wire of network.to(port)) wire.reset()
        return
      case 'halve':
        for (const wire of network.to(port)) wire.goHalf()
        return
      case 'babble':
        return kafka.babble(broker)
      case 'restart': {
        const { ms, electionMs, elsewhere, release } = action
        const stopped = kafka.stopBroker(broker, { electionMs })
        stopped.catch(this.broke)
        let isBack = false
        return this.endAfter(ms, () => {
          if (isBack) return
          isBack = true
          const start =
            release === undefined || elsewhere
              ? kafka.startBroker(broker, elsewhere ? { port: 'new' } : {})
              : kafka.upgradeBroker(broker, release)
          start.catch(this.broke)
        })
      }
      case 'move':
        return
    }
  }
}
