import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDebug } from '../../debug.js'
import { AuthenticationError, KafkaProducerError, MetadataUnavailableError } from '../../errors.js'
import { formatAddress, type BrokerAddress } from '../../network/connect.js'
import type { BrokerSession, SessionFactory } from '../../network/session.js'
import { Stage } from '../../network/stage.js'
import { timerDelay } from '../../timer-delay.js'

const debug = createDebug('kafka-producer:any-broker')

/** How long a question that nobody waits for goes on from one broker to the next: connecting keeps the process alive. */
const UNNEEDED_QUESTION_MS = 1_000
/** How long a broker may take before the next one is asked beside it, as with the addresses of one name. */
const HEAD_START_MS = 1_000
/** The most that are asked the same beside each other, however many are silent. */
const MAX_ASKED_AT_ONCE = 10

/** A way to a session. It is called off by the signal, and says in `stage` how far it has come. */
type Candidate = (signal: AbortSignal, stage: Stage) => Promise<BrokerSession>

/** A session that is being opened, for all questions that want one with that broker. */
interface Opening {
  readonly session: Promise<BrokerSession>
  readonly callOff: AbortController
  readonly stage: Stage
  users: number
}

/**
 * Asks what any broker of the cluster can answer, on a connection of its own, so that a question never queues behind
 * messages. Asked are the brokers that are known and the bootstrap list, in turn.
 *
 * A broker that fails makes way for the next at once, and one that is silent has the next asked beside it a little
 * later; the first answer counts, and the others are called off. So however many brokers are silent, each costs its head
 * start and not its time-out.
 */
export class AnyBroker {
  private known: ReadonlyMap<number, BrokerAddress> = new Map()
  /** The one that answered last. */
  private session: BrokerSession | undefined
  /** By address. */
  private readonly openings = new Map<string, Opening>()
  /** What each broker that is being asked is at. */
  private readonly stages = new Set<Stage>()
  private closed = false
  /** Why the last question had no answer; undefined once one has. */
  lastFailure: KafkaProducerError | undefined

  constructor(
    private readonly sessions: SessionFactory,
    private readonly bootstrap: readonly BrokerAddress[],
  ) {}

  /** The brokers of the cluster, by id; empty while only the bootstrap list is known. */
  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.known
  }

  learn(brokers: ReadonlyMap<number, BrokerAddress>): void {
    this.known = brokers
  }

  /** None of the known brokers is to be asked any more: the bootstrap list is. */
  forgetBrokers(): void {
    this.known = new Map()
  }

  /** What is being asked, of whom, and since when; undefined while nothing is. */
  get stage(): string | undefined {
    return this.stages.size === 0 ? undefined : [...this.stages].join(', ')
  }

  /**
   * Puts a question to one broker after another until one answers. Whatever a question fails with ends its connection:
   * the next one starts elsewhere.
   *
   * @throws MetadataUnavailableError; or, not retriable, what asking again can't help, such as AuthenticationError
   */
  ask<T>(question: (session: BrokerSession) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const candidates = this.candidates()
      const failures: unknown[] = []
      const startedAt = performance.now()
      const calledOff = new AbortController()
      setMaxListeners(0, calledOff.signal)
      let running = 0
      let timer: NodeJS.Timeout | undefined
      const settle = (failure: KafkaProducerError | undefined) => {
        clearTimeout(timer)
        calledOff.abort()
        this.lastFailure = failure
      }
      const startNext = () => {
        clearTimeout(timer)
        if (calledOff.signal.aborted || running >= MAX_ASKED_AT_ONCE) return
        const isFirst = running === 0 && failures.length === 0
        const isTooLong = !isFirst && !this.sessions.isNeeded && performance.now() - startedAt >= UNNEEDED_QUESTION_MS
        const next = this.closed || isTooLong ? undefined : candidates.next().value
        if (next !== undefined) {
          running++
          timer = setTimeout(startNext, HEAD_START_MS).unref()
          this.put(question, next, calledOff.signal).then(
            (answer) => {
              settle(undefined)
              resolve(answer)
            },
            (error: unknown) => {
              if (calledOff.signal.aborted) return
              debug('%s', (error as Error).message)
              failures.push(error)
              running--
              startNext()
            },
          )
        } else if (running === 0) {
          const failure = whatNoRetryHelps(failures) ?? this.unavailable(failures.at(-1))
          settle(failure)
          reject(failure)
        }
      }
      startNext()
    })
  }

  close(): void {
    this.closed = true
  }

  /** Puts the question to one broker. The session that answers is kept for the next question, instead of the last one. */
  private async put<T>(
    question: (session: BrokerSession) => Promise<T>,
    candidate: Candidate,
    signal: AbortSignal,
  ): Promise<T> {
    const stage = new Stage()
    this.stages.add(stage)
    let session: BrokerSession | undefined
    const drop = () => void session?.connection.close(0)
    try {
      session = await candidate(signal, stage)
      signal.addEventListener('abort', drop, { once: true })
      if (signal.aborted) drop()
      stage.enter(`waiting for ${formatAddress(session.connection.address)} to answer`)
      const answer = await question(session)
      signal.throwIfAborted()
      signal.removeEventListener('abort', drop)
      const previous = this.session
      this.session = session
      if (previous !== session) void previous?.connection.close(0)
      return answer
    } catch (error) {
      drop()
      throw error
    } finally {
      this.stages.delete(stage)
    }
  }

  private unavailable(failure: unknown): MetadataUnavailableError {
    const asked =
      this.known.size > 0 ? 'none of the known brokers and none of the bootstrap list' : 'none of the bootstrap list'
    return new MetadataUnavailableError(
      `${asked} answered: ${(failure as Error | undefined)?.message ?? 'the producer is closed'}`,
      { cause: failure },
    )
  }

  /**
   * Ways to a session, the most promising first: the one at hand; those being opened; other brokers and the bootstrap
   * list in turn, each in random order. One at hand that throttles this client comes last, when it has done with that.
   */
  private *candidates(): Iterator<Candidate, undefined> {
    const session = this.session?.connection.isOpen ? this.session : undefined
    const isThrottled = session !== undefined && session.throttle.leftMs > 0
    const seen = new Set<string>()
    if (session !== undefined) {
      seen.add(formatAddress(session.connection.address))
      if (!isThrottled) yield () => Promise.resolve(session)
    }
    for (const [name, opening] of this.openings) {
      seen.add(name)
      yield (signal, stage) => this.join(opening, signal, stage)
    }
    for (const address of inTurn(shuffled([...this.known.values()]), shuffled(this.bootstrap))) {
      const name = formatAddress(address)
      if (seen.has(name)) continue
      seen.add(name)
      yield (signal, stage) => this.connect(address, signal, stage)
    }
    if (isThrottled) yield (signal, stage) => this.afterThrottle(session, signal, stage)
    // Another question may have found one meanwhile, and have called off what this one waited for.
    const { session: newer } = this
    if (newer !== session && newer?.connection.isOpen) yield () => Promise.resolve(newer)
    return undefined
  }

  /** The broker is asked when its throttling is over, which the end of the connection is too. */
  private async afterThrottle(session: BrokerSession, signal: AbortSignal, stage: Stage): Promise<BrokerSession> {
    const { connection, throttle } = session
    stage.enter(`heeding that ${formatAddress(connection.address)} ${String(throttle)}`)
    const ended = new AbortController()
    connection.onClose(() => ended.abort())
    const anyEnd = AbortSignal.any([signal, ended.signal])
    await sleep(timerDelay(throttle.leftMs), undefined, { signal: anyEnd, ref: false }).catch(() => undefined)
    signal.throwIfAborted()
    return this.connect(connection.address, signal, stage)
  }

  private connect(address: BrokerAddress, signal: AbortSignal, stage: Stage): Promise<BrokerSession> {
    const name = formatAddress(address)
    const { session: atHand } = this
    if (atHand?.connection.isOpen && formatAddress(atHand.connection.address) === name) return Promise.resolve(atHand)
    let opening = this.openings.get(name)
    if (opening === undefined) {
      const callOff = new AbortController()
      const session = this.sessions.open(address, callOff.signal, stage).finally(() => this.openings.delete(name))
      opening = { session, callOff, stage, users: 0 }
      this.openings.set(name, opening)
    }
    return this.join(opening, signal, stage)
  }

  /** It is called off with the last of those who want it. */
  private async join(opening: Opening, signal: AbortSignal, stage: Stage): Promise<BrokerSession> {
    const leave = () => {
      if (--opening.users === 0) opening.callOff.abort()
    }
    opening.users++
    signal.addEventListener('abort', leave, { once: true })
    if (stage !== opening.stage) stage.follow(opening.stage)
    try {
      return await opening.session
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }
}

/** One of each list after the other. */
function* inTurn<T>(one: readonly T[], other: readonly T[]): Iterable<T> {
  for (let i = 0; i < Math.max(one.length, other.length); i++)
    yield* [one[i], other[i]].filter((item) => item !== undefined) as T[]
}

/**
 * Credentials are the cluster's: refused by one broker, they are refused. Anything else that is final ends it only if
 * no broker may do better next time.
 */
function whatNoRetryHelps(failures: readonly unknown[]): KafkaProducerError | undefined {
  const final = failures.filter(
    (failure) => failure instanceof KafkaProducerError && !failure.retriable,
  ) as KafkaProducerError[]
  const refused = final.find((failure) => failure instanceof AuthenticationError)
  return refused ?? (final.length === failures.length ? final[0] : undefined)
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}
