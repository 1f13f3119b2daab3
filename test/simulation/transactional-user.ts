import type { Clock } from '../../src/clock.js'
import { type TransactionalProducer, type Transaction, type TransactionalProducerOptions } from '../../src/index.js'
import type { Dice } from './dice.js'
import { Violation, type Ledger } from './ledger.js'
import type { Action, Scenario, Step, UserAction } from './scenario.js'
import type { TransactionLedger, TransactionRecord } from './transaction-ledger.js'
import { UserCode, type Key, type Value } from './user-code.js'
import { without } from './without.js'

type Options = TransactionalProducerOptions<Key, Value>
type Made = TransactionalProducer<Key, Value>
type Transact = Action & { readonly do: 'transact' }
type Tx = Transaction<Key, Value>

const ID = 'tx'
const GROUP = { groupId: 'readers' }
/** What is sent when its transaction is over has ids from here on. */
const LATE_IDS = 1_000_000
/** A step is asked for as long as one message may take: the commit, its abort, the identity, and what was sent. */
const STEPS = 5
const SLACK_MS = 2_000

interface Failure {
  readonly code?: string
  readonly kind?: string
}

/** A program that sends all in transactions, and a rival that has the same transactional id. */
export class TransactionalUser extends UserCode {
  readonly producers: Made[] = []
  private main: Made | undefined
  private rival: Made | undefined
  private readonly unusable = new WeakSet<Made>()
  private nextLateId = LATE_IDS
  private nextOffset = 1
  /** Transactions that are not over. */
  private open = 0
  /** Transactions that wait for their time-out alone. */
  private left = 0

  constructor(
    scenario: Scenario,
    ledger: Ledger,
    private readonly transactions: TransactionLedger,
    clock: Clock,
    private readonly make: (options: Options) => Made,
    told: (violation: unknown) => void,
    private readonly dice: Dice,
  ) {
    super(scenario, ledger, clock, told)
    this.main = this.start()
  }

  /** As whoever starts anew after what can't be recovered from. */
  private start(): Made {
    const { options, transactionTimeoutMs } = this.scenario
    const producer = this.make({
      ...without(options, 'type', 'acks'),
      ...this.commonOptions(this.dice.fork()),
      transactionalId: ID,
      transactionTimeoutMs,
    })
    producer.on('warning', () => undefined)
    this.producers.push(producer)
    return producer
  }

  private producerFor(isRival: boolean): Made {
    const known = isRival ? this.rival : this.main
    if (known !== undefined && (this.closing !== undefined || !this.unusable.has(known))) return known
    if (known !== undefined) void this.closeOne(known, 500)
    const made = this.start()
    if (isRival) this.rival = made
    else this.main = made
    return made
  }

  protected sendAmid(): void {
    // Whoever is asked for a partition of a transaction has nowhere else to send to.
  }

  protected heard(): unknown {
    const { intercepts } = this.scenario
    if (intercepts === 'throw') throw new Error('a callback of the user throws')
    return intercepts === 'reject' ? Promise.reject(new Error('a callback of the user rejects')) : undefined
  }

  perform(action: UserAction): void {
    switch (action.do) {
      case 'transact':
        if (this.closing === undefined) void this.transact(action)
        return
      case 'abort':
        return this.signals[action.signal]?.abort()
      case 'close':
        return void this.close(action.timeoutMs)
      case 'ask':
        return this.watchAsk(action.topic, this.producerFor(false).partitionsFor(action.topic))
      case 'connect':
        return this.connect(this.producerFor(false), action)
      case 'health':
        return this.probe(() => this.producerFor(false), action.everyMs, action.times)
      case 'lock':
        this.lockedUntil = this.clock.now() + action.ms
        return
      case 'send':
      case 'stream':
      case 'flush':
      case 'browse':
        throw new Error('a producer of transactions alone')
    }
  }

  /** Whether all that was begun is over. */
  get isIdle(): boolean {
    return this.open === 0
  }

  /** Whether a program ended amid a transaction. */
  get hasLeft(): boolean {
    return this.left > 0
  }

  /** Whether it goes on as it began: with one producer, which can go on. */
  get isWhole(): boolean {
    const [first, ...others] = this.producers
    return first !== undefined && others.length === 0 && !this.unusable.has(first) && this.closing === undefined
  }

  /** Whom the next transaction is begun with. */
  get current(): Made {
    return this.producerFor(false)
  }

  /** How long whoever begins may have to wait for all of it, those before him included. */
  get patienceMs(): number {
    const { deliveryTimeoutMs } = this.scenario.options
    return (
      (this.open + this.left + 1) * ((this.scenario.transactionTimeoutMs ?? 0) + STEPS * deliveryTimeoutMs) + SLACK_MS
    )
  }

  async transact(action: Transact): Promise<TransactionRecord> {
    const producer = this.producerFor(action.rival === true)
    const record = this.transactions.given(action.id, this.producers.indexOf(producer), action.end)
    const { patienceMs } = this
    this.open++
    const done = action.manual ? this.stepByStep(producer, action, record) : this.asFunction(producer, action, record)
    this.watch(`transaction ${action.id}`, patienceMs, done)
    await done
    this.open--
    return record
  }

  private async asFunction(producer: Made, action: Transact, record: TransactionRecord): Promise<void> {
    const { end } = action
    let given: Tx | undefined
    const done = producer.transaction(async (tx) => {
      given = tx
      await this.play(tx, action, record)
      if (end === 'leave') await new Promise(() => undefined)
      if (end.startsWith('abort')) throw new Error('the work throws')
      return action.id
    })
    await done.then(
      (id) => {
        if (id !== action.id || end === 'leave' || end.startsWith('abort'))
          this.told(new Violation('a function that throws aborts', `transaction ${action.id} gave ${id}`))
        this.transactions.tell(record, 'committed')
      },
      (error: Failure) => this.failed(producer, record, error),
    )
    if (action.late === true && given !== undefined) this.sendLate(given, record)
  }

  private async stepByStep(producer: Made, action: Transact, record: TransactionRecord): Promise<void> {
    const { end } = action
    let tx: Awaited<ReturnType<Made['begin']>>
    try {
      tx = await producer.begin()
    } catch (error) {
      return this.failed(producer, record, error as Failure)
    }
    try {
      await this.play(tx, action, record)
    } catch {
      // A program that goes on as if nothing had been.
    }
    const failed = (error: Failure) => this.failed(producer, record, error)
    const note = (error: Failure) => this.noteFailure(producer, error)
    const commit = () => {
      const committed = tx.commit()
      if (action.late === true) this.sendLate(tx, record)
      return committed.then(() => this.transactions.tell(record, 'committed'), failed)
    }
    const abort = () => {
      const aborted = tx.abort()
      if (action.late === true) this.sendLate(tx, record)
      return aborted.catch(note).then(() => this.transactions.tell(record, 'aborted'))
    }
    switch (end) {
      case 'commit':
        return commit()
      case 'abort':
        return abort()
      case 'leave':
        this.left++
        return this.transactions.tell(record, 'aborted')
      case 'commit twice':
        return void (await Promise.all([commit(), tx.commit().catch(note)]))
      case 'commit, then abort':
        return void (await Promise.all([commit(), tx.abort().catch(note)]))
      case 'abort, then commit':
        return void (await Promise.all([abort(), tx.commit().then(() => this.wronglyCommitted(action), note)]))
    }
  }

  private wronglyCommitted({ id }: Transact): void {
    this.told(new Violation('what was aborted is not committed', `transaction ${id}`))
  }

  private failed(producer: Made, record: TransactionRecord, error: Failure): void {
    this.noteFailure(producer, error)
    this.transactions.tell(record, error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'aborted', error.code)
  }

  private noteFailure(producer: Made, { kind }: Failure): void {
    if (kind === 'application-recoverable' || kind === 'invalid-configuration') this.unusable.add(producer)
  }

  private async play(tx: Tx, { steps }: Transact, record: TransactionRecord): Promise<void> {
    for (const step of steps) {
      const done = this.playOne(tx, step, record)
      done.catch(() => undefined)
      if (step.do === 'wait' || step.awaits) await done
    }
  }

  private async playOne(tx: Tx, step: Step, record: TransactionRecord): Promise<void> {
    switch (step.do) {
      case 'wait':
        return new Promise((resolve) => void this.clock.setTimeout(resolve, step.ms))
      case 'offsets': {
        const offset = this.nextOffset++
        const { partition = 0 } = step
        record.offsets.set(partition, offset)
        const sent = tx.sendOffsets(GROUP, [{ topic: this.someTopic, partition, offset }])
        this.watch(`offsets of ${record.id}`, this.patienceMs, sent)
        return sent
      }
      case 'send': {
        const ids = Array.from({ length: step.count }, (_, i) => step.id + i)
        record.messages.push(...ids)
        await Promise.all(
          (step.list ? [ids] : ids.map((id) => [id])).map((some) => this.sendIn(tx, step, some, record)),
        )
      }
    }
  }

  private get someTopic(): string {
    return Object.keys(this.scenario.topics)[0] as string
  }

  private async sendIn(
    tx: Tx,
    step: Step & { readonly do: 'send' },
    ids: readonly number[],
    { by }: TransactionRecord,
  ): Promise<void> {
    const { signal, list } = step
    const messages = ids.map((id) => this.message(id, step, by))
    const options = signal === undefined ? {} : { signal: (this.signals[signal] as AbortController).signal }
    const given = list ? messages : (messages[0] as (typeof messages)[0])
    const sent = tx.send(given, options)
    this.watch(`send of ${ids[0]}`, this.scenario.options.deliveryTimeoutMs, sent)
    try {
      this.tellAcknowledged(ids, await sent)
    } catch (error) {
      this.tellErrors(ids, error as Error, false)
      throw error
    }
  }

  private sendLate(tx: Tx, record: TransactionRecord): void {
    const id = this.nextLateId++
    record.late.push(id)
    const step = {
      do: 'send',
      id,
      count: 1,
      list: false,
      topic: this.someTopic,
      keys: 1,
      size: 10,
      awaits: false,
    } as const
    this.sendIn(tx, step, [id], record).catch(() => undefined)
  }

  private closeOne(producer: Made, timeoutMs: number): Promise<unknown> {
    this.closed.add(producer)
    const closed = producer.close({ timeoutMs })
    this.watch('close', timeoutMs + 1_500, closed)
    closed.catch(() => undefined)
    return closed
  }

  close(timeoutMs: number): Promise<unknown> {
    if (this.closing !== undefined) return this.closing
    this.closedAt = this.clock.now()
    this.closing = Promise.all(this.producers.map((producer) => this.closeOne(producer, timeoutMs)))
    return this.closing
  }
}
