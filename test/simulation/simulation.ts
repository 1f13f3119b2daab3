import { createHash } from 'node:crypto'
import { Producer } from '../../src/producer/producer.js'
import { TransactionalProducer } from '../../src/producer/transactional-producer.js'
import type { EmbeddedKafka } from '../../src/testing/index.js'
import { Dice } from './dice.js'
import { checkFigures } from './figures.js'
import { Ledger, PASSING, Violation, type Entry } from './ledger.js'
import { SimNetwork } from './network.js'
import { lateConnections } from './own-connections.js'
import { isPeaceful, isPeacefulForTransactions, OF_METRICS } from './peace.js'
import { BEFORE_SEQUENCES, isOfUser, type Action, type Scenario, type Step } from './scenario.js'
import type { Streams } from './streams.js'
import { TransactionLedger } from './transaction-ledger.js'
import { TransactionalUser } from './transactional-user.js'
import { Troubles } from './troubles.js'
import type { Seen } from './user-code.js'
import { User } from './user.js'
import { VirtualClock } from './virtual-clock.js'
import { Witness } from './witness.js'
import { World } from './world.js'

/** What a run may take; more is a loop without end. */
const MAX_STEPS = 200_000
/** A deadline is told in slices, by timers that are a little late. */
const SLACK_MS = 300
const LOOKS_PER_MESSAGE = 6
/** Of two timers for nearly the same time the later one may go off first, as one of them is looked at in the next turn. */
const TIMER_MS = 3
/** Brokers that gather acknowledgements may be so late, and clients look a little later. */
const ANSWER_GRACE_MS = 2_500
/** As many wait for each other on a connection, and have their time one after the other. */
const REQUESTS_IN_LINE = 6
/** How much room is looked at between steps. */
const LOOK_EVERY = 16
/** What a message takes beside its value, alone in a batch: at the most. */
const RECORD_BYTES = 150
const PROBE_IDS = 2_000_000
/** 32 for messages, 16 for questions; beside those that have taken longer than a second 256 for messages. */
const MOST_OPENING = 50
const MOST_OPENING_SLOWLY = 274
const SLOW_MS = 1_000
/** Whoever waits for room makes what lingers go: it lingers longer than that. */
const QUEUEING_MS = 700
/** A producer may hear of what befell it before by its next transaction, and is replaced then. */
const PROBE_ATTEMPTS = 3
const LONG_MS = 30_000
/** What a stream has is through by then, if nothing is wrong. */
const STREAMS_MS = 60_000
const MADE_WITHIN_MS = 60_000
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
  private readonly dice: Dice
  private world!: World
  private readonly transactions: TransactionLedger
  private user!: User | TransactionalUser
  private troubles!: Troubles
  private violation: Violation | undefined
  private readonly witness = new Witness((violation) => this.broke(violation))
  private steps = 0
  /** Messages whose first bytes the system has taken; with acks 0 alone. */
  private readonly taken = new Set<number>()
  /** Messages that were given to a connection; and those that are not to be any more. Where that is looked at. */
  private readonly written = new Set<number>()
  private readonly aborted = new Set<number>()
  /** As many requests had come when all that was asked for was told. */
  private probed: number | undefined
  private probedAt = 0
  private isHealed = false
  /** When some message last had no fate. */
  private lastOpenAt = 0

  constructor(
    private readonly scenario: Scenario,
    private readonly keepsTrace: boolean,
  ) {
    this.dice = new Dice(scenario.seed + 1)
    this.network = new SimNetwork(this.clock.for('network'), this.dice.fork(), scenario.network, this.trace)
    this.network.onChanged = () =>
      this.broke(
        new Violation('what is being written does not change', 'bytes did before the system was done with them'),
      )
    this.ledger = new Ledger(() => this.clock.now, this.trace)
    this.transactions = new TransactionLedger(this.ledger, this.trace)
  }

  private get kafka(): EmbeddedKafka {
    return this.world.kafka
  }

  /** All that there is, or anything was sent to. */
  private get topics(): readonly string[] {
    const used = [...this.ledger.entries.values()].map(({ topic }) => topic)
    return [...new Set([...Object.keys(this.scenario.topics), ...used])]
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
    if (this.world.made !== undefined) await this.settled(this.world.made, 'another cluster', MADE_WITHIN_MS)
    this.heal()
    // Whatever was given so far has its fate by then.
    await this.wait(deliveryTimeoutMs + SLACK_MS)
    if (this.user instanceof TransactionalUser) {
      // What its program has left open for long is open when it closes.
      if (!this.user.hasLeft || (scenario.transactionTimeoutMs ?? 0) < LONG_MS) await this.probeTransaction(this.user)
    } else if (this.user.closing === undefined) await this.probe(this.user, dice)
    if (this.user instanceof User && this.user.closing === undefined && this.mustDeliver)
      await this.passed(this.user.streams)
    const leavesNothing = this.user instanceof TransactionalUser && this.user.isWhole && this.mustDeliver
    const closing = this.user.close(deliveryTimeoutMs)
    await this.settled(closing, 'close', deliveryTimeoutMs + CLOSE_MS)
    if (leavesNothing && this.kafka.transactions.some(({ state }) => state === 'Ongoing'))
      throw new Violation('close leaves no transaction open', 'one is')
    // A broker that delays an answer hears behind it that nobody waits.
    await this.until(
      () => this.network.wires.size === 0,
      15_000,
      () => this.leftOver(),
    )
    if (this.user instanceof TransactionalUser) await this.settleTransactions(this.user)
    // A codec that does not settle has its time.
    if (!['none', 'at once'].includes(scenario.codec)) await this.wait(scenario.options.requestTimeoutMs)
    this.checkEnd()
    const stopping = this.kafka.stop()
    await this.settled(stopping, 'the cluster stops', 10_000)
    await stopping
  }

  private async start(): Promise<void> {
    const { scenario, clock, network, dice } = this
    this.world = await World.start(scenario, {
      clock: clock.for('cluster'),
      random: dice.fork(),
      listen: network.listen,
      topics: () => this.topics,
      trace: this.trace,
      broke: this.broke,
    })
    this.troubles = new Troubles(this.world, network, clock, this.broke)
    clock.lookMs = scenario.lookMs
    if (scenario.options.acks === 0 && scenario.codec === 'none')
      network.onTaken = (bytes) => {
        for (const id of idsIn(bytes)) this.taken.add(id)
      }
    if (
      scenario.brokers === 1 &&
      scenario.codec === 'none' &&
      scenario.sessionLifetimeMs === undefined &&
      isPeaceful(scenario)
    )
      network.onWritten = (bytes) => this.noteWritten(bytes)
    this.user = this.makeUser(dice.fork(), dice.fork())
    this.user.exists = (topic) => this.world.hasTopic(topic)
  }

  private makeUser(random: Dice, dice: Dice): User | TransactionalUser {
    const { scenario, clock, network, ledger, transactions, broke } = this
    const ownConnections = this.ownConnections(random)
    const surroundings = {
      clock: clock.for('producer'),
      random,
      ...(ownConnections === undefined && { connect: network.connect }),
    }
    const observer = this.witness.observer(scenario.watchesCalls === true)
    if (scenario.transactionTimeoutMs === undefined)
      return new User(
        scenario,
        ledger,
        clock.for('user'),
        (options) => new Producer({ ...options, ...ownConnections }, surroundings, observer),
        broke,
        dice,
      )
    return new TransactionalUser(
      scenario,
      ledger,
      transactions,
      clock.for('user'),
      (options) => new TransactionalProducer({ ...options, ...ownConnections }, surroundings),
      broke,
      dice,
    )
  }

  /** What a user gives in place of sockets. */
  private ownConnections(dice: Dice) {
    const { clock, network, scenario } = this
    if (scenario.ownConnections === false) return undefined
    const connect = ({ port }: { readonly port: number }) => network.connect({ port })
    if (scenario.ownConnections !== 'promises') return { createConnection: connect }
    const own = lateConnections(connect, clock.for('user'), dice.fork(), () => this.isHealed)
    return { createConnection: own }
  }

  private perform(action: Action): void {
    this.trace(JSON.stringify(action))
    if (action.do === 'abort') this.noteAborted(action.signal)
    try {
      if (isOfUser(action)) this.user.perform(action)
      else this.troubles.meet(action)
    } catch (error) {
      this.broke(error)
    }
  }

  /** What was not written by now is not to be: where brokers are connected to, and one request follows the other. */
  private noteAborted(signal: number): void {
    const { ledger, written, network } = this
    const isConnected = [...ledger.entries.values()].some(({ fate }) => fate?.kind === 'acknowledged')
    if (network.onWritten === undefined || !isConnected) return
    for (const entry of ledger.entries.values())
      if (entry.signal === signal && entry.fate === undefined && !written.has(entry.id)) this.aborted.add(entry.id)
  }

  private noteWritten(bytes: Buffer): void {
    for (const id of idsIn(bytes)) {
      this.written.add(id)
      if (this.aborted.has(id)) this.broke(new Violation('what was aborted is not sent', `${id} is`))
    }
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
    if (wasOpen || this.ledger.open > 0) this.lastOpenAt = this.clock.now
    if (this.steps % LOOK_EVERY === 0) this.look()
  }

  /** What the messages so far have taken of the process's time, at the most: each makes it look at the clock some times. */
  private get workMs(): number {
    return LOOKS_PER_MESSAGE * this.scenario.lookMs * this.ledger.entries.size
  }

  /** What holds at all times. */
  private look(): void {
    const late = SLACK_MS + this.troubles.stalledMs + this.workMs
    const { deliveryTimeoutMs, queueMessages, queueBytes, batchBytes } = this.scenario.options
    const held = this.user.producers.map((producer) => producer.stats())
    for (const { id, client, endsBy } of this.network.wires)
      if (this.clock.now > endsBy + late && !client.destroyed)
        throw new Violation('what is no answer ends the connection', `${id}, by ${endsBy}`)
    const { mostOpening, longestDeafMs } = this.network
    if (mostOpening > (longestDeafMs < SLOW_MS ? MOST_OPENING : MOST_OPENING_SLOWLY))
      throw new Violation('few connections are opened at once', `${mostOpening} are`)
    for (const { queueMessages: messages, queueBytes: bytes } of held) {
      if (messages < 0 || bytes < 0)
        throw new Violation('room is never below zero', `${messages} messages, ${bytes} bytes`)
      // One message that is larger than all of the room comes in alone.
      if (messages > queueMessages || bytes > queueBytes + Math.max(batchBytes, 10_000))
        throw new Violation('room is bounded', `${messages} messages, ${bytes} bytes`)
    }
    // What was in flight when its messages had their fate is answered, or its connection given up: each in its time.
    const { requestTimeoutMs, acks } = this.scenario.options
    // With acks 0 nothing is answered: the system takes it, or the connection is given up.
    const patienceMs = acks === 0 ? 2 * requestTimeoutMs : REQUESTS_IN_LINE * (requestTimeoutMs + ANSWER_GRACE_MS)
    const answeredBy = this.lastOpenAt + patienceMs + late
    const full = held.find((stats) => stats.queueMessages > 0)
    if (full !== undefined && this.clock.now > answeredBy)
      throw new Violation('room is given back in time', `${full.queueMessages} messages, ${full.queueBytes} bytes`)
    this.ledger.checkDeadlines(deliveryTimeoutMs + late)
    const { statsIntervalMs } = this.scenario
    const isOpen = (index: number) => this.user.isOpen(this.user.producers[index] as Seen)
    if (statsIntervalMs !== undefined) this.user.readings.checkTime(statsIntervalMs + late + SLACK_MS, isOpen)
    for (const { what, dueAt } of this.user.pending.values())
      if (this.clock.now > dueAt + late) throw new Violation('promises settle', `${what}, due at ${dueAt}`)
  }

  // The end.

  /** From here on nothing is wrong with anything. */
  private heal(): void {
    this.trace('healed')
    this.isHealed = true
    this.troubles.heal()
    this.user.lockedUntil = 0
  }

  /** What is given to a cluster that is well arrives. */
  private async probe(user: User, dice: Dice): Promise<void> {
    const { topics, options, actions } = this.scenario
    // Where somebody looks after it already; elsewhere it is the first message that finds out.
    if (actions.some((action) => action.do === 'health') && this.mustDeliver) await this.recovered(user.producer)
    this.trace('probes')
    const isAsking = [...user.pending.values()].some(({ what }) => what.startsWith('partitionsFor'))
    if (!isAsking && user.asksUntil < this.clock.now) this.probed = this.kafka.requests.length
    this.probedAt = this.clock.now
    let id = PROBE_IDS
    for (const [topic, partitions] of Object.entries(topics)) {
      for (let i = 0; i < Math.min(partitions, 3); i++) {
        const at = this.clock.now
        user.send({
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
    const withinMs = options.deliveryTimeoutMs + SLACK_MS + this.troubles.stalledMs
    await this.until(
      () => !probes.some(isOpen),
      withinMs,
      () => 'probes have no fate',
    )
    if (!this.mustDeliver) return
    for (const probe of probes) {
      const fate = this.ledger.entries.get(probe)?.fate
      if (fate?.kind !== 'acknowledged')
        throw new Violation(
          'a cluster that is well delivers',
          `${probe}: ${fate === undefined ? 'no fate' : JSON.stringify(fate)}`,
        )
    }
    await this.recovered(user.producer)
  }

  /** Whoever looks after a producer that delivers sees that it is well, a little later. */
  private async recovered(producer: Seen): Promise<void> {
    const { requestTimeoutMs } = this.scenario.options
    await this.until(
      () => producer.health().healthy || this.user.closing !== undefined,
      2 * requestTimeoutMs + SLACK_MS,
      () => `health() says ${producer.health().problem?.message}`,
    )
  }

  /** What streams were given goes its way. */
  private async passed(streams: Streams): Promise<void> {
    await this.until(
      () => streams.areThrough,
      STREAMS_MS,
      () => 'a stream is not through',
    )
  }

  /** Whether there is nothing in the scenario that keeps messages from a cluster that is well. */
  private get mustDeliver(): boolean {
    const { partitioner, codec, onDelivery, options, actions, release, transactionTimeoutMs, intercepts } =
      this.scenario
    // Without ids of topics nobody can tell that a sequence is of the one that was deleted (before Kafka 2.8).
    const isReplaced = actions.some(({ do: what }) => what === 'recreate' || what === 'delete') && release < '2.8'
    const isFull = options.queueMessages <= 10 && options.enqueueTimeoutMs >= 0
    // Code of the user's that is wrong is no fault of the cluster's.
    const codecMs = options.requestTimeoutMs
    const isSoon = 8 * codecMs <= options.deliveryTimeoutMs && 2 * codecMs < (transactionTimeoutMs ?? Infinity)
    const isGoodCodec = ['none', 'at once', 'pool'].includes(codec) || (codec === 'never settles' && isSoon)
    const isWrong = partitioner !== 'by key' || !isGoodCodec || onDelivery === 'close' || intercepts === 'close'
    // What may be in the log under a sequence can't go to a leader that knows none.
    const isTooOld = actions.some((action) => action.do === 'restart' && BEFORE_SEQUENCES.has(action.release ?? ''))
    // Whoever waits for weeks before he tries again does not deliver.
    const isPatient = options.retryBackoffMs > 1_000
    return !isReplaced && !isFull && !isWrong && !isTooOld && !isPatient && options.retries === undefined
  }

  /** When all that was begun is over, a transaction is committed, by the same producer as long as that can go on. */
  private async probeTransaction(user: TransactionalUser): Promise<void> {
    const { topics } = this.scenario
    await this.until(
      () => user.isIdle,
      user.patienceMs,
      () => 'transactions are not over',
    )
    for (let attempt = 0; attempt < PROBE_ATTEMPTS && user.closing === undefined; attempt++) {
      this.trace('probes')
      let id = PROBE_IDS + attempt * 100
      const steps: Step[] = Object.keys(topics).map((topic) => {
        return { do: 'send', id: id++, count: 1, list: false, topic, partition: 0, keys: 1, size: 10, awaits: false }
      })
      steps.push({ do: 'offsets', awaits: false })
      const probing = user.transact({ at: 0, do: 'transact', id, manual: attempt === 1, steps, end: 'commit' })
      await this.settled(probing, 'a transaction', user.patienceMs)
      const { outcome, code } = await probing
      if (!this.mustDeliver) return
      if (outcome === 'committed') return this.recovered(user.current)
      if (attempt === PROBE_ATTEMPTS - 1) throw new Violation('a cluster that is well commits', `${outcome}, ${code}`)
    }
  }

  /** Whatever nobody has ended the cluster does, and readers go on. */
  private async settleTransactions(user: TransactionalUser): Promise<void> {
    const { transactionTimeoutMs = 0 } = this.scenario
    const isOver = () => user.isIdle && this.kafka.transactions.every(({ state }) => state !== 'Ongoing')
    await this.until(isOver, transactionTimeoutMs + CLOSE_MS, () => 'a transaction is left open')
  }

  private leftOver(): string {
    return `${this.network.wires.size} connections are left`
  }

  private checkEnd(): void {
    const { kafka, world, user, clock, ledger, scenario } = this
    for (const { queueMessages, queueBytes } of user.producers.map((producer) => producer.stats()))
      if (queueMessages !== 0 || queueBytes !== 0)
        throw new Violation('room is zero at the end', `${queueMessages} messages, ${queueBytes} bytes`)
    const timers = clock.timersOf('producer')
    if (timers > 0) throw new Violation('no timer is left', `${timers} are`)
    for (const { what } of user.pending.values()) throw new Violation('promises settle', `${what} has not`)
    if (user instanceof User) user.streams.checkEnd()
    this.witness.checkEnd()
    if (this.violation !== undefined) throw this.violation
    if (scenario.promptMs !== undefined) ledger.checkPrompt(scenario.promptMs)
    this.checkPace()
    this.network.checkUnread()
    this.checkTaken()
    this.checkAsked()
    if (user instanceof TransactionalUser) {
      // What groups have read is gone with their cluster.
      const offsets = world.isAnew ? undefined : kafka.committedOffsets('readers')
      this.transactions.check(world.committed(), offsets)
      if (isPeacefulForTransactions(scenario)) this.transactions.checkPeace()
    } else if (isPeaceful(scenario)) {
      ledger.checkPeace((entry, code) => this.mayFail(entry, code))
      const isNowhere = [...ledger.entries.values()].some((entry) => this.isNowhere(entry))
      if (scenario.options.type === 'async' && this.isRoomy && !isNowhere && user.longestCallMs > QUEUEING_MS)
        throw new Violation('room is soon found', `after ${user.longestCallMs} ms`)
    }
    if (!scenario.actions.some((action) => MAY_LOSE_COUNT.has(action.do) || isOfSequences(action))) ledger.checkCount()
    ledger.checkStored(
      world.everWritten(),
      scenario.options.acks,
      scenario.options.retries ?? Infinity,
      this.passing,
      this.world.remadeAt,
    )
    if (user instanceof User) this.checkStats(user)
    const fates = [...ledger.entries.values()].map(({ fate }) => fate?.kind)
    const acknowledged = fates.filter((kind) => kind === 'acknowledged').length
    // Of a transaction that is over nothing gets to the interceptors.
    const unseen = user instanceof TransactionalUser ? fates.length : 0
    if (scenario.intercepts !== undefined) user.counting.check(acknowledged, fates.length - acknowledged, unseen)
    user.readings.checkEnd(user.producers)
    this.checkMetrics()
  }

  /** What a message is tried again for. Of unknown errors only the metadata's pass. */
  private get passing(): ReadonlySet<string> {
    const isProducing = this.scenario.actions.some(
      (action) => action.do === 'fail' && action.api !== 'Metadata' && action.error === 'UNKNOWN_SERVER_ERROR',
    )
    const isRefusing = this.scenario.actions.some(
      (action) => action.do === 'fail' && action.error === 'INVALID_TIMESTAMP',
    )
    return new Set([
      ...PASSING,
      ...(isProducing ? [] : ['UNKNOWN_SERVER_ERROR']),
      // A message beside it has one that is refused.
      ...(isRefusing ? [] : ['INVALID_TIMESTAMP']),
    ])
  }

  private checkStats(user: User): void {
    const stats = user.producer.stats()
    const { acknowledged, failed, codecFailures } = stats
    const fates = [...this.ledger.entries.values()].map(({ fate }) => fate?.kind)
    const told = fates.filter((kind) => kind === 'acknowledged').length
    if (acknowledged !== told) throw new Violation('counted', `${acknowledged} acknowledged, and ${told} were`)
    const ended = fates.filter((kind) => kind === 'failed').length
    // Of those that were refused some had come in, and are counted.
    const refused = fates.filter((kind) => kind === 'refused').length
    if (failed < ended || failed > ended + refused)
      throw new Violation('counted', `${failed} failed, ${ended} have and ${refused} were refused`)
    this.witness.checkMessages(fates.length, stats.allTopics.messages.count, acknowledged)
    const { partitioner, onDelivery, intercepts } = this.scenario
    checkFigures(
      stats,
      [...this.ledger.entries.values()].map(({ fate }) => fate),
      partitioner === 'hook throws' || [onDelivery, intercepts].some((one) => one === 'throw' || one === 'reject'),
    )
    const isWell = ['late', 'thenable'].includes(this.scenario.codec) && this.troubles.stalledMs === 0
    if (isWell && codecFailures > 0) throw new Violation('a codec that is late is used', `${codecFailures} failures`)
  }

  /** With acks 0 a message is acknowledged when the system has it. */
  private checkTaken(): void {
    if (this.network.onTaken === undefined) return
    for (const { id, fate } of this.ledger.entries.values())
      if (fate?.kind === 'acknowledged' && !this.taken.has(id))
        throw new Violation('acknowledged means taken (acks 0)', `${id} is not`)
  }

  /** Metrics that the cluster wants are pushed, and the last ones when the producer is closed. */
  private checkMetrics(): void {
    const { world, scenario } = this
    const hasEnded = world.checkPushed()
    const { wantsMetrics: wanted, network, actions, transactionTimeoutMs, lookMs } = scenario
    const isQuiet = transactionTimeoutMs === undefined && isPeaceful(scenario) && network.delayMs <= 2 && lookMs < 0.1
    const areWanted = wanted !== undefined && wanted.maxBytes > 100_000 && wanted.metrics.includes('')
    const isOther = actions.some(
      (action) => action.do === 'subscribe' || ('api' in action && OF_METRICS.includes(action.api)),
    )
    const wasReached = [...this.ledger.entries.values()].some(({ fate }) => fate?.kind === 'acknowledged')
    if (areWanted && isQuiet && !isOther && wasReached && !hasEnded)
      throw new Violation('the last metrics are pushed', 'none were')
  }

  /** Asking for a topic neither creates it, nor is it asked for again when nobody waits. */
  private checkAsked(): void {
    const names = new Set(this.scenario.actions.map((action) => (action.do === 'ask' ? action.topic : '')))
    for (const { topic } of this.ledger.entries.values()) names.delete(topic)
    const made = [...names, 'n1', 'n20'].find(
      (name) => this.world.hasTopic(name) && !Object.hasOwn(this.scenario.topics, name),
    )
    if (made !== undefined) throw new Violation('asking for a topic does not create it', made)
    // What was written before a connection fell silent arrives when it speaks again; what was, behind a request whose answer
    // is late, when that is answered.
    const isDelayed = this.scenario.actions.some(
      (action) => (action.do === 'silence' || action.do === 'delay') && action.at + action.ms >= this.probedAt,
    )
    if (this.probed === undefined || isDelayed) return
    for (const { api, topics } of this.kafka.requests.slice(this.probed)) {
      const unwanted = api === 'Metadata' ? topics.find(({ topic }) => /^n\d+$/.test(topic)) : undefined
      if (unwanted !== undefined) throw new Violation('nothing is asked for that nobody wants', unwanted.topic)
    }
  }

  /** What fails although all is well. */
  private mayFail(entry: Entry, code: string): boolean {
    const { topic, hasHeaders, timestamp, sentAt, odd } = entry
    const { scenario, user } = this
    const { enqueueTimeoutMs, batchBytes } = scenario.options
    const isDetached = odd === 'detached'
    const isMissing = this.isMissing(topic)
    const isLimited = this.maxMessageBytes < Infinity
    switch (code) {
      case 'ABORTED':
        return true
      case 'QUEUE_FULL':
        if (isMissing || enqueueTimeoutMs === 0) return true
        // So many find room in time where each waits for one other at the most, and batches are not of one message each,
        // or halved until they are.
        return enqueueTimeoutMs === 200 && (!this.isRoomy || batchBytes < 1_000 || this.movesFor(200) || isLimited)
      case 'UNSUPPORTED_BY_FORMAT':
        return hasHeaders || timestamp !== undefined
      case 'INVALID_MESSAGE':
        // A stream that ends with what is wrong has it refused with those beside it.
        return isDetached || odd === 'invalid' || (user instanceof User && user.streams.hasWrong(entry.id))
      case 'SERIALIZATION_FAILED':
        // In sync mode a call fails as a whole.
        return isDetached || odd === 'mixed'
      case 'INVALID_TIMESTAMP':
        return odd === 'ahead'
      case 'MESSAGE_TOO_LARGE':
        return entry.value.length + RECORD_BYTES > this.maxMessageBytes
      case 'INVALID_CONFIG':
        return odd === 'wrong signal'
      case 'INVALID_PARTITION':
        return this.isNowhere(entry)
      case 'DELIVERY_TIMEOUT':
        return this.isNowhere(entry) || !this.isQuick || this.standsBehindMissing(entry)
      case 'CONNECTION_FAILED':
        // The process stands still for longer than an answer may take.
        return (this.isHeavy || this.standsStill) && scenario.options.retries !== undefined
      case 'CONNECTION_CLOSED':
        // So a broker tells whoever wants no answer that a batch is too large.
        return scenario.options.acks === 0 && isLimited
      case 'PRODUCER_CLOSED':
        // What a stream sends just before has its deadline when close() has its own.
        return sentAt >= user.closedAt - TIMER_MS
      case 'UNKNOWN_TOPIC_OR_PARTITION':
        return isMissing
      default:
        return false
    }
  }

  private get maxMessageBytes(): number {
    return Number(this.scenario.config?.['max.message.bytes'] ?? Infinity)
  }

  /** It is for a topic or a partition that does not exist. */
  private isNowhere({ topic, partition }: Entry): boolean {
    const partitions = this.scenario.topics[topic] ?? 1
    return this.isMissing(topic) || (partition !== undefined && partition >= partitions)
  }

  private isMissing(topic: string): boolean {
    return !Object.hasOwn(this.scenario.topics, topic) && !this.scenario.autoCreateTopics
  }

  /**
   * What waits for a topic or a partition that does not exist holds room until its deadline: all of it where no topic was
   * known yet, and enough of it to keep out what only fits alone.
   */
  private standsBehindMissing({ value, sentAt }: Entry): boolean {
    const { queueBytes, queueMessages } = this.scenario.options
    const all = [...this.ledger.entries.values()]
    const missing = all.filter((entry) => this.isNowhere(entry))
    if (missing.length === 0) return false
    // One of them may come in however large it is.
    const isFull = missing.some((entry) => entry.value.length > (queueBytes * 3) / 4)
    const isLarge = isFull || value.length > queueBytes / 4 || queueMessages <= 1
    const firstKnown = all.find(({ fate }) => fate?.kind === 'acknowledged')
    return isLarge || firstKnown === undefined || (missing[0]?.sentAt ?? 0) <= firstKnown.sentAt + 1_000 || sentAt === 0
  }

  /** Whether leaders move so often that who looks for them may be at it for so long: he waits before each time. */
  private movesFor(ms: number): boolean {
    const { actions, options } = this.scenario
    return actions.filter((action) => action.do === 'move').length * options.retryBackoffMs >= ms
  }

  private get isRoomy(): boolean {
    const { queueMessages, queueBytes } = this.scenario.options
    const isLight = this.scenario.lookMs < 0.1 && this.ledger.entries.size <= 5 * queueMessages
    return isLight && queueBytes > 1_000_000 && this.isQuick
  }

  /** Whether all that is sent can have arrived within a fraction of a second. */
  private get isQuick(): boolean {
    const { network, release, codec, actions, options } = this.scenario
    const isLate =
      options.retryBackoffMs > 1_000 ||
      actions.some((action) => (action.do === 'send' || action.do === 'stream') && action.code === 'late')
    return (
      network.delayMs <= 2 && release !== '0.8.2' && codec !== 'late' && codec !== 'pool' && !isLate && !this.isHeavy
    )
  }

  /** Many are sent in one turn, on a slow clock: each looks at it some times. */
  private get standsStill(): boolean {
    const { lookMs, options } = this.scenario
    return 10 * lookMs * this.ledger.entries.size >= options.requestTimeoutMs
  }

  /** A batch a message, and each takes its time. */
  private get isHeavy(): boolean {
    const { lookMs, options } = this.scenario
    if (lookMs < 0.1) return false
    // As long as a broker refuses all of a partition, one of its batches at a time is on its way.
    const isAlone = ({ value }: Entry) => value.length > options.batchBytes
    return options.batchBytes < 1_000 || [...this.ledger.entries.values()].some(isAlone)
  }

  /** However much goes wrong, brokers are not asked more often than the back-off says. */
  private checkPace(): void {
    const { options, actions, brokers, topics } = this.scenario
    // Times of requests are the system's.
    if (actions.some((action) => action.do === 'jump')) return
    const perSecond = 1_000 / options.retryBackoffMs
    const partitions = Object.values(topics).reduce((sum, count) => sum + count, 0)
    const calls = this.ledger.entries.size
    const asked = actions.reduce(
      (sum, action) =>
        sum + (action.do === 'browse' ? 2 * action.times : ['ask', 'connect'].includes(action.do) ? 1 : 0),
      0,
    )
    const limits = {
      // A topic that is being created is asked for again. A question that fails is put to the next broker at once. Look-ups, and refreshes.
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
}

/** Of the messages in what is written. */
function idsIn(bytes: Buffer): number[] {
  return [...bytes.toString('latin1').matchAll(/#(\d+)#/g)].map(([, id]) => Number(id))
}

/** What makes brokers lose count of sequences. */
const MAY_LOSE_COUNT: ReadonlySet<string> = new Set([
  ...['restart', 'delete', 'recreate', 'lie', 'grow', 'transact'],
  ...['retain', 'truncate', 'anew', 'leave'],
])
/** A broker is told to say that it has lost count. */
/** Of a batch that fails for good, too, those behind it hear if they may be in the log. */
function isOfSequences(action: Action): boolean {
  return action.do === 'fail' && /SEQUENCE|PRODUCER|UNKNOWN_SERVER_ERROR|TOO_LARGE/.test(String(action.error))
}

function describe(error: unknown): string {
  return error instanceof Error ? String(error.stack) : String(error)
}
