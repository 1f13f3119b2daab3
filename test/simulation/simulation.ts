import { createHash } from 'node:crypto'
import { Producer } from '../../src/producer/producer.js'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { Dice } from './dice.js'
import { Ledger, Violation, type Entry, type Incarnation } from './ledger.js'
import { SimNetwork } from './network.js'
import type { Action, CodeOf, Scenario } from './scenario.js'
import { User } from './user.js'
import { VirtualClock } from './virtual-clock.js'

/** What a run may take; more is a loop without end. */
const MAX_STEPS = 200_000
/** A deadline is told in slices, by timers that are a little late. */
const SLACK_MS = 300
/** Brokers that gather acknowledgements may be so late, and clients look a little later. */
const ANSWER_GRACE_MS = 2_500
/** As many wait for each other on a connection, and have their time one after the other. */
const REQUESTS_IN_LINE = 6
/** How much room is looked at between steps. */
const LOOK_EVERY = 16
const PROBE_IDS = 2_000_000
/** Sockets of a producer that was closed have a second to end. */
const CLOSE_MS = 30_000

export interface Outcome {
  readonly violation: Violation | undefined
  /** Of all that happened, in its order: the same for the same scenario. */
  readonly digest: string
  readonly trace: readonly string[]
  readonly steps: number
  readonly messages: number
  /** Milliseconds of virtual time. */
  readonly tookMs: number
}

/** Lets all run that is ready: promises, ticks of streams. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Plays a scenario. It never rejects: what is wrong is its outcome. */
export async function simulate(scenario: Scenario, { keepsTrace = false } = {}): Promise<Outcome> {
  const simulation = new Simulation(scenario, keepsTrace)
  return simulation.run()
}

class Simulation {
  private readonly clock = new VirtualClock()
  private readonly hash = createHash('sha1')
  private readonly lines: string[] = []
  private readonly network: SimNetwork
  private readonly ledger: Ledger
  private readonly gone: Incarnation[] = []
  private readonly dice: Dice
  private kafka!: EmbeddedKafka
  private user!: User
  private violation: Violation | undefined
  private steps = 0
  /** How long the process stood still: so much later deadlines are told. */
  private stalledMs = 0
  private readonly endings: (() => void)[] = []
  /** Messages whose first bytes the system has taken; with acks 0 alone. */
  private readonly taken = new Set<number>()
  /** When some message last had no fate. */
  private lastOpenAt = 0

  constructor(
    private readonly scenario: Scenario,
    private readonly keepsTrace: boolean,
  ) {
    this.dice = new Dice(scenario.seed + 1)
    this.network = new SimNetwork(this.clock.for('network'), this.dice.fork(), scenario.network, this.trace)
    this.ledger = new Ledger(() => this.clock.now, this.trace)
  }

  private readonly trace = (what: string): void => {
    const line = `${this.clock.now.toFixed(3)} ${what}`
    this.hash.update(line)
    if (this.keepsTrace) this.lines.push(line)
  }

  private readonly broke = (error: unknown): void => {
    this.violation ??=
      error instanceof Violation
        ? error
        : new Violation('nothing unexpected', error instanceof Error ? String(error.stack) : String(error))
  }

  async run(): Promise<Outcome> {
    const onUnhandled = (error: unknown) => this.broke(new Violation('no unhandled rejection', describe(error)))
    const onUncaught = (error: unknown) => this.broke(new Violation('nothing is thrown at nobody', describe(error)))
    process.on('unhandledRejection', onUnhandled)
    process.on('uncaughtException', onUncaught)
    try {
      await this.play()
    } catch (error) {
      this.broke(error)
    } finally {
      process.off('unhandledRejection', onUnhandled)
      process.off('uncaughtException', onUncaught)
    }
    return {
      violation: this.violation,
      digest: this.hash.digest('hex'),
      trace: this.lines,
      steps: this.steps,
      messages: this.ledger.entries.size,
      tookMs: this.clock.now,
    }
  }

  private async play(): Promise<void> {
    const { scenario, clock, dice } = this
    const { deliveryTimeoutMs } = scenario.options
    await this.start()
    for (const action of scenario.actions)
      clock.for('scenario').setTimeout(() => this.perform(action), Math.max(1, action.at))
    const end = Math.max(0, ...scenario.actions.map(({ at }) => at)) + 1
    await this.wait(end)
    this.heal()
    // Whatever was given so far has its fate by then.
    await this.wait(deliveryTimeoutMs + SLACK_MS)
    if (this.user.closing === undefined) await this.probe(dice)
    const closing = this.user.close(deliveryTimeoutMs)
    await this.settled(closing, 'close', deliveryTimeoutMs + CLOSE_MS)
    await this.until(
      () => this.network.wires.size === 0,
      5_000,
      () => this.leftOver(),
    )
    // A codec that does not settle has its time.
    if (!['none', 'at once'].includes(scenario.codec)) await this.wait(scenario.options.requestTimeoutMs)
    this.checkEnd()
    const stopping = this.kafka.stop()
    await this.settled(stopping, 'the cluster stops', 10_000)
    await stopping
  }

  private async start(): Promise<void> {
    const { scenario, clock, network, dice } = this
    const topics = Object.fromEntries(
      Object.entries(scenario.topics).map(([name, partitions]) => [name, { partitions }]),
    )
    const { sessionLifetimeMs } = scenario
    this.kafka = await EmbeddedKafka.start(
      {
        brokers: scenario.brokers,
        release: scenario.release,
        topics,
        autoCreateTopics: scenario.autoCreateTopics,
        ...(sessionLifetimeMs !== undefined && { sasl: { users: { u: 'p' }, sessionLifetimeMs } }),
      },
      { clock: clock.for('cluster'), random: dice.fork(), listen: network.listen },
    )
    clock.lookMs = scenario.lookMs
    if (scenario.options.acks === 0 && scenario.codec === 'none')
      network.onTaken = (bytes) => {
        for (const [, id] of bytes.toString('latin1').matchAll(/#(\d+)#/g)) this.taken.add(Number(id))
      }
    const random = dice.fork()
    this.user = new User(
      scenario,
      this.ledger,
      clock.for('user'),
      (options) =>
        scenario.ownConnections
          ? new Producer(
              { ...options, createConnection: ({ port }) => network.connect({ port }) },
              { clock: clock.for('producer'), random },
            )
          : new Producer(options, { clock: clock.for('producer'), random, connect: network.connect }),
      this.broke,
      dice.fork(),
    )
  }

  // Steps.

  private async until(holds: () => boolean, withinMs = Infinity, why: () => string = () => ''): Promise<void> {
    const since = this.clock.now
    while (this.violation === undefined && !holds()) {
      if (this.clock.now - since > withinMs) throw new Violation('in time', why())
      await this.step()
    }
    if (this.violation !== undefined) throw this.violation
  }

  private async wait(ms: number): Promise<void> {
    let isOver = false
    this.clock.for('scenario').setTimeout(() => (isOver = true), ms)
    await this.until(() => isOver)
  }

  private async settled(promise: Promise<unknown>, what: string, withinMs: number): Promise<void> {
    let isSettled = false
    const settle = () => (isSettled = true)
    promise.then(settle, settle)
    await drained()
    await this.until(
      () => isSettled,
      withinMs,
      () => `${what} after ${withinMs} ms`,
    )
  }

  private async step(): Promise<void> {
    if (++this.steps > MAX_STEPS) throw new Violation('an end', `${MAX_STEPS} steps, at ${this.clock.now}`)
    const wasOpen = this.ledger.open > 0
    // Somebody waits, and nothing is to come.
    if (!this.clock.step()) throw new Violation('something goes on', `nothing is due at ${this.clock.now}`)
    await drained()
    if (wasOpen) this.lastOpenAt = this.clock.now
    if (this.steps % LOOK_EVERY === 0) this.look()
  }

  /** What holds at all times. */
  private look(): void {
    const { deliveryTimeoutMs, queueMessages, queueBytes, batchBytes } = this.scenario.options
    const stats = this.user.producer.stats()
    if (stats.queueMessages < 0 || stats.queueBytes < 0)
      throw new Violation('room is never below zero', `${stats.queueMessages} messages, ${stats.queueBytes} bytes`)
    // One message that is larger than all of the room comes in alone.
    if (stats.queueMessages > queueMessages || stats.queueBytes > queueBytes + Math.max(batchBytes, 10_000))
      throw new Violation('room is bounded', `${stats.queueMessages} messages, ${stats.queueBytes} bytes`)
    const late = SLACK_MS + this.stalledMs
    // What was in flight when its messages had their fate is answered, or its connection given up: each in its time.
    const { requestTimeoutMs } = this.scenario.options
    const answeredBy = this.lastOpenAt + REQUESTS_IN_LINE * (requestTimeoutMs + ANSWER_GRACE_MS) + late
    if (stats.queueMessages > 0 && this.clock.now > answeredBy)
      throw new Violation('room is given back in time', `${stats.queueMessages} messages, ${stats.queueBytes} bytes`)
    this.ledger.checkDeadlines(deliveryTimeoutMs + late)
    for (const { what, dueAt } of this.user.pending.values())
      if (this.clock.now > dueAt + late) throw new Violation('promises settle', `${what}, due at ${dueAt}`)
  }

  // The end.

  /** From here on nothing is wrong with anything. */
  private heal(): void {
    const { kafka, network, scenario } = this
    this.trace('healed')
    for (const end of this.endings.splice(0)) end()
    kafka.releaseFaults()
    network.heal()
    this.user.lockedUntil = 0
    for (const { id, state } of kafka.brokers) {
      if (state === 'paused') kafka.resumeBroker(id)
      if (state === 'stopped') void kafka.startBroker(id)
    }
    kafka.electLeaders()
    for (const [topic, partitions] of Object.entries(scenario.topics))
      if (!this.hasTopic(topic)) kafka.createTopic(topic, { partitions })
      // It may have been created on demand.
      else if (!this.hasTopic(topic, partitions - 1)) kafka.setPartitions(topic, partitions)
  }

  private hasTopic(topic: string, partition = 0): boolean {
    try {
      this.kafka.leaderOf(topic, partition)
      return true
    } catch {
      return false
    }
  }

  /** What is given to a cluster that is well arrives. */
  private async probe(dice: Dice): Promise<void> {
    const { topics, partitioner, codec, onDelivery, options, actions, release } = this.scenario
    this.trace('probes')
    let id = PROBE_IDS
    for (const [topic, partitions] of Object.entries(topics)) {
      for (let i = 0; i < Math.min(partitions, 3); i++) {
        const at = this.clock.now
        this.user.send({
          at,
          do: 'send',
          id: id++,
          count: 1,
          list: false,
          topic,
          keys: 1,
          size: dice.between(1, 50),
          partition: i,
        })
      }
    }
    const isOpen = (probe: number) => this.ledger.entries.get(probe)?.fate === undefined
    const probes = Array.from({ length: id - PROBE_IDS }, (_, i) => PROBE_IDS + i)
    const withinMs = options.deliveryTimeoutMs + SLACK_MS + this.stalledMs
    await this.until(
      () => !probes.some(isOpen),
      withinMs,
      () => 'probes have no fate',
    )
    // Code of the user's that is wrong is no fault of the cluster's.
    // Without ids of topics nobody can tell that a sequence is of the one that was deleted (before Kafka 2.8).
    const isReplaced = actions.some(({ do: what }) => what === 'recreate' || what === 'delete') && release < '2.8'
    const isFull = options.queueMessages <= 10 && options.enqueueTimeoutMs >= 0
    if (isReplaced || isFull) return
    if (
      options.retries !== undefined ||
      partitioner !== 'by key' ||
      !['none', 'at once'].includes(codec) ||
      onDelivery === 'close'
    )
      return
    for (const probe of probes) {
      const fate = this.ledger.entries.get(probe)?.fate
      if (fate?.kind !== 'acknowledged')
        throw new Violation(
          'a cluster that is well delivers',
          `${probe}: ${fate === undefined ? 'no fate' : JSON.stringify(fate)}`,
        )
    }
  }

  private leftOver(): string {
    return `${this.network.wires.size} connections are left`
  }

  private checkEnd(): void {
    const { kafka, user, clock, ledger, scenario } = this
    const { queueMessages, queueBytes } = user.producer.stats()
    if (queueMessages !== 0 || queueBytes !== 0)
      throw new Violation('room is zero at the end', `${queueMessages} messages, ${queueBytes} bytes`)
    const timers = clock.timersOf('producer')
    if (timers > 0) throw new Violation('no timer is left', `${timers} are`)
    for (const { what } of user.pending.values()) throw new Violation('promises settle', `${what} has not`)
    const topics = new Set([...Object.keys(scenario.topics), ...[...ledger.entries.values()].map(({ topic }) => topic)])
    const there = [...topics].filter((topic) => this.hasTopic(topic))
    const all = [...this.gone, ...there.map((topic) => ({ topic, records: kafka.records(topic) }))]
    this.checkPace()
    this.checkTaken()
    if (isPeaceful(scenario)) ledger.checkPeace((entry, code) => this.mayFail(entry, code))
    ledger.checkStored(all, scenario.options.acks, scenario.options.retries ?? Infinity)
  }

  /** With acks 0 a message is acknowledged when the system has it. */
  private checkTaken(): void {
    if (this.network.onTaken === undefined) return
    for (const { id, fate } of this.ledger.entries.values())
      if (fate?.kind === 'acknowledged' && !this.taken.has(id))
        throw new Violation('acknowledged means taken (acks 0)', `${id} is not`)
  }

  /** What fails although all is well. */
  private mayFail({ topic, partition, hasHeaders, timestamp, sentAt }: Entry, code: string): boolean {
    const { scenario, user } = this
    const { enqueueTimeoutMs } = scenario.options
    const isMissing = this.isMissing(topic)
    switch (code) {
      case 'ABORTED':
        return true
      case 'QUEUE_FULL':
        // So many find room in time where each waits for one other at the most.
        return enqueueTimeoutMs === 0 || (enqueueTimeoutMs === 200 && !this.isRoomy)
      case 'UNSUPPORTED_BY_FORMAT':
        return hasHeaders || timestamp !== undefined
      case 'INVALID_PARTITION':
        return partition !== undefined && partition >= (scenario.topics[topic] ?? 1)
      case 'DELIVERY_TIMEOUT':
        return isMissing || !this.isQuick || (!this.isRoomy && this.areSomeMissing)
      case 'PRODUCER_CLOSED':
        return sentAt >= user.closedAt
      case 'UNKNOWN_TOPIC_OR_PARTITION':
        return isMissing
      default:
        return false
    }
  }

  private isMissing(topic: string): boolean {
    return !Object.hasOwn(this.scenario.topics, topic) && !this.scenario.autoCreateTopics
  }

  /** What waits for a topic that does not exist holds room until its deadline. */
  private get areSomeMissing(): boolean {
    return [...this.ledger.entries.values()].some(({ topic }) => this.isMissing(topic))
  }

  private get isRoomy(): boolean {
    const { queueMessages, queueBytes } = this.scenario.options
    return this.ledger.entries.size <= 2 * queueMessages && queueBytes > 1_000_000 && this.isQuick
  }

  /** Whether all that is sent can have arrived within a fraction of a second. */
  private get isQuick(): boolean {
    const { network, release, codec, actions } = this.scenario
    const isLate = actions.some((action) => action.do === 'send' && action.code === 'late')
    return network.delayMs <= 2 && release !== '0.8.2' && codec !== 'late' && !isLate
  }

  /** However much goes wrong, brokers are not asked more often than the back-off says. */
  private checkPace(): void {
    const { options, actions, brokers, topics } = this.scenario
    // Times of requests are the system's.
    if (actions.some((action) => action.do === 'jump')) return
    const perSecond = 1_000 / options.retryBackoffMs
    const partitions = Object.values(topics).reduce((sum, count) => sum + count, 0)
    const calls = this.ledger.entries.size
    const asked = actions.filter((action) => action.do === 'ask' || action.do === 'connect').length
    const limits = {
      // A question that fails is put to the next broker at once. Look-ups, and refreshes.
      Metadata: 20 + 2 * perSecond * (brokers + 1) + asked + (options.metadataRefreshIntervalMs === 0 ? calls : 0),
      Produce: 20 + calls + perSecond * partitions,
    }
    for (const [api, limit] of Object.entries(limits)) {
      const times = this.kafka.requests.filter((request) => request.api === api).map(({ receivedAt }) => receivedAt)
      for (let first = 0, last = 0; last < times.length; last++) {
        while ((times[last] as number) - (times[first] as number) >= 1_000) first++
        if (last - first >= limit) throw new Violation('pace', `${last - first} ${api} requests within a second`)
      }
    }
  }

  // What happens.

  private perform(action: Action): void {
    this.trace(JSON.stringify(action))
    try {
      this.doIt(action)
    } catch (error) {
      this.broke(error)
    }
  }

  /** Ends it so much later, or when all is healed. */
  private endAfter(ms: number, end: () => void): void {
    this.clock.for('scenario').setTimeout(end, ms)
    this.endings.push(end)
  }

  private doIt(action: Action): void {
    const { kafka, user, clock } = this
    switch (action.do) {
      case 'send':
        return user.send(action)
      case 'flush':
        return void user.flush()
      case 'abort':
        return user.signals[action.signal]?.abort()
      case 'close':
        return void user.close(action.timeoutMs)
      case 'ask':
        return user.ask(action.topic)
      case 'connect':
        return user.connect()
      case 'lock':
        user.lockedUntil = clock.now + action.ms
        return
      case 'jump':
        return clock.jump(action.ms)
      case 'hang':
        this.stalledMs += action.ms
        return clock.stall(action.ms)
      case 'fail': {
        const { api, topic, error, times } = action
        return void kafka.fail({ api, times, ...(topic !== undefined && { topic }) }, error)
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
        if (action.do === 'delete') kafka.deleteTopic(action.topic)
        else kafka.recreateTopic(action.topic)
        return
      case 'grow':
        if (this.hasTopic(action.topic)) this.attempt(() => kafka.setPartitions(action.topic, 25))
        return
      default:
        return this.troubleBroker(action)
    }
  }

  private isAlive(broker: number): boolean {
    return kafkaStateOf(this.kafka, broker) !== 'stopped'
  }

  /** What can't be done at this moment is left. */
  private attempt(change: () => void): void {
    try {
      change()
    } catch (error) {
      this.trace(`not done: ${(error as Error).message}`)
    }
  }

  private troubleBroker(action: Extract<Action, { readonly broker: number }>): void {
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

/** Whether neither the network, nor the cluster, nor code of the user's does anything wrong. */
function isPeaceful({ actions, partitioner, codec, onDelivery, release }: Scenario): boolean {
  const isGood = (code: CodeOf | 'none') => ['none', 'at once', 'late'].includes(code)
  return (
    release !== '0.9' &&
    partitioner !== 'throws' &&
    isGood(codec) &&
    onDelivery !== 'close' &&
    actions.every((action) =>
      action.do === 'send'
        ? isGood(action.code ?? 'none') && action.then !== 'close'
        : ['flush', 'abort', 'ask', 'connect'].includes(action.do),
    )
  )
}

function kafkaStateOf(kafka: EmbeddedKafka, broker: number) {
  return kafka.brokers.find(({ id }) => id === broker)?.state
}

function describe(error: unknown): string {
  return error instanceof Error ? String(error.stack) : String(error)
}
