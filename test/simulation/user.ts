import type { Clock } from '../../src/clock.js'
import type { DeliveryReport, ProducerOptions, RecordMetadata } from '../../src/index.js'
import type { Producer } from '../../src/producer/producer.js'
import type { Dice } from './dice.js'
import { idOf, Violation, type Entry, type Ledger } from './ledger.js'
import type { Action, Oddity, Reaction, Scenario, UserAction } from './scenario.js'
import { Streams } from './streams.js'
import { UserCode, type Key, type Message, type Value } from './user-code.js'

/** What reactions send has ids from here on. */
const REACTION_IDS = 1_000_000
/** So often the user reacts; or two reactions would go on for ever. */
const MAX_REACTIONS = 50

/** From promise to promise, until whoever sent a message hears of it. */
const HOPS = 50
/** How much later than promised. */
const PATIENCE_SLACK_MS = 300

type Options = ProducerOptions<Key, Value, 'sync' | 'async'>

function textOf(value: Value | Buffer | null): Buffer | null {
  return value === null || Buffer.isBuffer(value) ? value : value.bytes
}

function isOfMetadata(action: Action): boolean {
  return action.do === 'fail' && action.api === 'Metadata'
}

/** The controller in its place, or one that can't be listened to. */
function wrongSignal(id: number): AbortSignal {
  const controller = new AbortController()
  if (id % 2 === 0) return controller as unknown as AbortSignal
  const addEventListener = () => {
    throw new Error('nobody may listen')
  }
  return Object.assign(controller.signal, { addEventListener })
}

/** Whoever has the producer: gives messages, hears of fates, and does everything that code of users does. */
export class User extends UserCode {
  readonly producer: Producer<Key, Value, 'sync' | 'async'>
  private reactionsLeft = MAX_REACTIONS
  private nextReactionId = REACTION_IDS
  /** Topics are asked for one after the other until then. */
  asksUntil = 0
  readonly streams: Streams
  private closesBy = Infinity
  /** The longest that a call took, which in async mode is until all of it is queued. */
  longestCallMs = 0

  constructor(
    scenario: Scenario,
    ledger: Ledger,
    clock: Clock,
    make: (options: Options) => Producer<Key, Value, 'sync' | 'async'>,
    told: (violation: unknown) => void,
    dice: Dice,
  ) {
    super(scenario, ledger, clock, told)
    this.producer = make({
      ...scenario.options,
      ...this.commonOptions(dice),
      ...(scenario.options.type === 'async' && {
        onDelivery: (report: DeliveryReport<Key, Value>) => this.onDelivery(report),
      }),
    })
    // Or they would be printed.
    this.producer.on('warning', () => undefined)
    this.streams = new Streams({
      producer: this.producer,
      clock,
      ledger,
      signals: this.signals,
      encodesAtOnce: scenario.actions.every((action) => !('code' in action)),
      make: (id, action) => this.drafted(id, action, 0),
      idOf: (message) => this.idOf(message),
      closing: () => ({ since: this.closedAt, until: this.closesBy }),
      sent: (ids, sent) => this.sent(ids, sent),
      react: (reaction) => this.react(reaction),
      watch: (what, withinMs, promise) => this.watch(what, withinMs, promise),
      told,
    })
  }

  /** A stream gives others in the place of some, and values alone. */
  private idOf(message: Message): number {
    const id = this.ids.get(message) ?? idOf({ value: textOf(message.value) })
    this.ids.set(message, id)
    return id
  }

  /** Messages that a stream was given are on their way. */
  private sent(ids: readonly number[], sent: Promise<unknown>): void {
    const isAsync = this.scenario.options.type === 'async'
    sent.then(
      (metadata) => isAsync || this.tellAcknowledged(ids, metadata as RecordMetadata[]),
      (error: Error) => this.tellErrors(ids, error, isAsync),
    )
  }

  get producers() {
    return [this.producer]
  }

  private onDelivery({ message, metadata, error, attempts }: DeliveryReport<Key, Value>): unknown {
    const id = this.idOf(message)
    if (error !== undefined) this.checkText(error)
    this.tell(
      id,
      metadata === undefined
        ? { kind: 'failed', code: error.code, mayHaveBeenWritten: error.mayHaveBeenWritten, attempts }
        : { kind: 'acknowledged', metadata, attempts },
    )
    return this.react(this.scenario.onDelivery)
  }

  protected sendAmid(): void {
    this.react('send')
  }

  protected heard(): unknown {
    const { intercepts } = this.scenario
    return this.react(typeof intercepts === 'string' ? intercepts : 'nothing')
  }

  private react(reaction: Reaction): unknown {
    if (reaction === 'nothing' || this.reactionsLeft-- <= 0) return undefined
    switch (reaction) {
      case 'send':
        this.send({
          at: 0,
          do: 'send',
          id: this.nextReactionId++,
          count: 1,
          list: false,
          topic: this.someTopic,
          keys: 1,
          size: 10,
        })
        return undefined
      case 'flush':
        return this.flush()
      case 'abort':
        return this.signals[0]?.abort()
      case 'close':
        return this.close(500)
      case 'throw':
        throw new Error('a callback of the user throws')
      case 'reject':
        return Promise.reject(new Error('a callback of the user rejects'))
    }
  }

  private get someTopic(): string {
    return Object.keys(this.scenario.topics)[0] as string
  }

  perform(action: UserAction): void {
    switch (action.do) {
      case 'send':
        return this.send(action)
      case 'stream':
        return this.streams.perform(action)
      case 'flush':
        return void this.flush(action.timeoutMs)
      case 'abort':
        return this.signals[action.signal]?.abort()
      case 'close':
        return void this.close(action.timeoutMs)
      case 'ask':
        return this.watchAsk(action.topic, this.producer.partitionsFor(action.topic))
      case 'connect':
        return this.connect(this.producer, action)
      case 'health':
        return this.probe(() => this.producer, action.everyMs, action.times)
      case 'browse':
        return this.browse(action.everyMs, action.times, action.topic)
      case 'lock':
        this.lockedUntil = this.clock.now() + action.ms
        return
      case 'transact':
        throw new Error('a producer without transactions')
    }
  }

  protected override isCreating(topic: string): boolean {
    const { options, autoCreateTopics, actions } = this.scenario
    if (options.type === 'async' || !autoCreateTopics || this.closing !== undefined) return false
    // Whoever asks waits so long at the most.
    if (options.enqueueTimeoutMs >= 0 && options.enqueueTimeoutMs < 60_000) return false
    const isQuiet = actions.every((action) => ['send', 'ask', 'flush'].includes(action.do) || isOfMetadata(action))
    const isTaken = ({ topic: its, fate, odd, sentAt }: Entry) =>
      its === topic && fate === undefined && odd === undefined && sentAt < this.clock.now()
    return isQuiet && this.isRoomy && [...this.ledger.entries.values()].some(isTaken)
  }

  /** Whether nobody waits for room. */
  private get isRoomy(): boolean {
    const { messages, bytes } = this.ledger.size
    const { queueMessages, queueBytes } = this.scenario.options
    return 4 * messages < queueMessages && 4 * bytes < queueBytes
  }

  private browse(everyMs: number, times: number, topic?: string): void {
    this.asksUntil = this.clock.now() + everyMs * times
    if (times === 0 || this.closing !== undefined) return
    this.watchAsk('of many', this.producer.partitionsFor(topic ?? `n${times}`))
    this.clock.setTimeout(() => this.browse(everyMs, times - 1, topic), everyMs)
  }

  send(action: Action & { readonly do: 'send' }): void {
    const { id, count, list, signal, odd, then = 'nothing' } = action
    const controller = signal === undefined ? undefined : (this.signals[signal] as AbortController)
    const given = odd === 'wrong signal' ? wrongSignal(id) : controller?.signal
    const options = given === undefined ? {} : { signal: given }
    const give = (of: number) =>
      this.message(of, odd === 'mixed' && of === id ? { ...action, code: 'throws' } : action, 0)
    const ids = Array.from({ length: count }, (_, i) => id + i)
    if (list) {
      const messages = ids.map(give)
      if (odd === 'invalid') messages[count - 1] = this.wrong(messages[count - 1] as Message)
      this.call(messages, messages, options, then, action)
      return
    }
    for (const one of ids) {
      const message = odd === 'invalid' ? this.wrong(give(one)) : give(one)
      this.call(message, [message], options, then, action)
    }
  }

  /** The same, with what no broker could take. */
  private wrong(message: Message): Message {
    const wrong = { ...message, headers: { a: 5 as unknown as string } }
    this.ids.set(wrong, this.ids.get(message) as number)
    return wrong
  }

  private call(
    given: Message | Message[],
    messages: readonly Message[],
    options: { signal?: AbortSignal },
    then: Reaction,
    { changes = false, odd }: { readonly changes?: boolean; readonly odd?: Oddity },
  ): void {
    const ids = messages.map((message) => this.ids.get(message) as number)
    const isAsync = this.scenario.options.type === 'async'
    const sent = this.producer.send(given, options) as Promise<RecordMetadata[] | undefined>
    const { deliveryTimeoutMs, copyBytes } = this.scenario.options
    this.watch(`send of ${ids[0]}`, deliveryTimeoutMs, sent)
    const scribble = () => {
      for (const { value, partitionKey } of messages) {
        ;(value as Value).bytes.fill('!')
        if (Buffer.isBuffer(partitionKey)) partitionKey.fill('!')
      }
    }
    if (odd === 'detached')
      for (const { value } of messages) {
        const { buffer } = (value as Value).bytes
        structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
      }
    // The encoder's bytes: whoever gives them to the producer gives them until the fate, or until send() has returned.
    const isCopied = copyBytes && messages.every(({ value }) => value?.code === 'at once')
    if (changes && isCopied) scribble()
    const since = this.clock.now()
    sent
      .then(
        (metadata) => {
          this.longestCallMs = Math.max(this.longestCallMs, this.clock.now() - since)
          if (!isAsync) this.tellAcknowledged(ids, metadata as RecordMetadata[])
        },
        (error: Error & { readonly code?: string }) => {
          if (error.code === 'QUEUE_FULL' && ids.length === 1) this.checkPatience(since)
          this.tellErrors(ids, error, isAsync)
        },
      )
      .then(() => {
        if (changes && !isAsync) scribble()
        return this.react(then)
      })
      .catch(() => undefined)
  }

  /** Whoever finds no room hears of it in time, if nothing else held him up. */
  private checkPatience(since: number): void {
    const { actions, lookMs, options } = this.scenario
    const isHeldUp = actions.some((action) => action.do === 'hang' || ('code' in action && action.code !== undefined))
    // Each that is refused with it looks at the clock some times.
    const late = PATIENCE_SLACK_MS + 10 * lookMs * this.ledger.entries.size
    const waited = this.clock.now() - since
    if (!isHeldUp && waited > options.enqueueTimeoutMs + late)
      this.told(new Violation('who finds no room hears of it in time', `after ${waited} ms`))
  }

  private flush(timeoutMs?: number): Promise<unknown> {
    const since = this.clock.now()
    const open = [...this.ledger.entries.values()].filter(({ fate }) => fate === undefined)
    const flushed = this.producer.flush(timeoutMs === undefined ? {} : { timeoutMs })
    this.watch('flush', Math.min(timeoutMs ?? Infinity, this.scenario.options.deliveryTimeoutMs), flushed)
    const wrong = (detail: string) => this.told(new Violation('flush() waits for what was sent', detail))
    flushed.then(
      async ({ failed }) => {
        // Those who hear of it are told by promises of their own.
        for (let i = 0; i < HOPS; i++) await Promise.resolve()
        const untold = open.find(({ fate }) => fate === undefined)
        if (untold !== undefined) wrong(`${untold.id} has no fate`)
        const told = open.filter(({ fate }) => fate?.kind === 'failed').length
        if (failed < told) wrong(`${failed} have failed, and ${told} of these`)
      },
      ({ code }: { readonly code?: string }) => {
        const isLate = code === 'FLUSH_TIMEOUT' && this.clock.now() - since >= (timeoutMs ?? Infinity)
        if (!isLate) wrong(`${code} after ${this.clock.now() - since} ms`)
      },
    )
    return flushed
  }

  close(timeoutMs: number): Promise<unknown> {
    if (this.closing !== undefined) return this.closing
    this.closedAt = this.clock.now()
    this.closesBy = this.closedAt + timeoutMs
    this.closed.add(this.producer)
    const closed = this.producer.close({ timeoutMs })
    this.closing = closed
    // What is left then has its fate at once, and sockets a second to close.
    this.watch('close', timeoutMs + 1_500, closed)
    closed.then(
      ({ unsent, failed }) => {
        this.given(unsent)
        const stats = this.producer.stats()
        if (failed !== stats.failed)
          this.told(new Violation('close() tells what failed', `${failed}, and ${stats.failed} have`))
        this.checkHeard()
      },
      () => undefined,
    )
    return closed
  }

  /** With the producer closed interceptors have heard of all that was sent before. */
  private checkHeard(): void {
    const { intercepts = false } = this.scenario
    const { heardOf } = this.counting
    const sent = [...this.ledger.entries.values()].filter(({ sentAt }) => sentAt < this.closedAt).length
    if (intercepts !== false && heardOf < sent)
      this.told(new Violation('close() waits for interceptors', `${heardOf} of ${sent} messages`))
  }

  /** What close() gives back has no other fate than that. */
  private given(unsent: readonly Message[]): void {
    for (const message of unsent) {
      const { id, fate } = this.ledger.entries.get(this.idOf(message)) as Entry
      const isEnded = fate !== undefined && fate.kind !== 'acknowledged' && fate.code === 'PRODUCER_CLOSED'
      if (fate !== undefined && !isEnded)
        this.told(new Violation('what is given back was not sent', `${id} is ${fate.kind}`))
    }
  }
}
