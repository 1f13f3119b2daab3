import type { EmbeddedKafka } from '../../src/testing/index.js'
import { CROWD_PORTS, type Lie } from './lies.js'
import type { SimNetwork } from './network.js'
import { isOfWorld, type Action, type UserAction, type WorldAction } from './scenario.js'
import type { VirtualClock } from './virtual-clock.js'
import type { World } from './world.js'

type BrokerAction = Exclude<Extract<Action, { readonly broker: number }>, WorldAction>

const REFUSED_WITH: ReadonlyMap<Lie, string> = new Map([
  ['hints', 'NOT_LEADER_OR_FOLLOWER'],
  ['text', 'TOPIC_AUTHORIZATION_FAILED'],
  ['indexes', 'INVALID_RECORD'],
])
const DEAF_MS = 600_000
const SILENT_CROWD = CROWD_PORTS.filter((port) => port % 2 === 0)

/** What befalls a cluster, the network before it and the clocks. */
export class Troubles {
  /** How long the process stood still: so much later deadlines are told. */
  stalledMs = 0
  private readonly endings: (() => void)[] = []

  constructor(
    private readonly world: World,
    private readonly network: SimNetwork,
    private readonly clock: VirtualClock,
    private readonly broke: (error: unknown) => void,
  ) {}

  private get kafka(): EmbeddedKafka {
    return this.world.kafka
  }

  /** From here on nothing is wrong with anything. */
  heal(): void {
    for (const end of this.endings.splice(0)) end()
    this.kafka.releaseFaults()
    this.network.heal()
    this.world.heal()
  }

  /** Ends it so much later, or when all is healed; not where it has ended with its cluster, or its broker. */
  private endAfter(ms: number, end: () => void, broker?: number): void {
    const { kafka } = this
    const endIt = () => {
      const isThere = broker === undefined || kafka.brokers.some(({ id }) => id === broker)
      if (kafka === this.kafka && !this.world.isBeingMade && isThere) end()
    }
    this.clock.for('scenario').setTimeout(endIt, ms)
    this.endings.push(endIt)
  }

  meet(action: Exclude<Action, UserAction>): void {
    const { kafka, clock, world } = this
    // Nobody is there to be troubled.
    if (world.isBeingMade) return
    if (isOfWorld(action)) return world.meet(action)
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
        if (world.hasTopic(action.topic) && world.isAlive(action.broker))
          world.attempt(() => kafka.moveLeader(action.topic, action.partition, action.broker))
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

  private meetBroker(action: BrokerAction): void {
    const { kafka, network, clock } = this
    const { broker } = action
    if (!this.world.isAlive(broker)) return
    const port = kafka.brokers.find(({ id }) => id === broker)?.port as number
    switch (action.do) {
      case 'pause':
        kafka.pauseBroker(broker)
        return this.endAfter(action.ms, () => kafka.resumeBroker(broker), broker)
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
        const start = () => {
          if (isBack) return
          isBack = true
          this.world.starting(
            release === undefined || elsewhere
              ? kafka.startBroker(broker, elsewhere ? { port: 'new' } : {})
              : kafka.upgradeBroker(broker, release),
          )
        }
        return this.endAfter(ms, start, broker)
      }
      case 'move':
        return
    }
  }
}
