import { setTimeout as sleep } from 'node:timers/promises'
import { createDebug } from '../../debug.js'
import { AuthenticationError, KafkaProducerError, MetadataUnavailableError } from '../../errors.js'
import { formatAddress, type BrokerAddress } from '../../network/connect.js'
import type { BrokerSession, SessionFactory } from '../../network/session.js'

const debug = createDebug('kafka-producer:any-broker')

/** How long a question that nobody waits for goes on from one broker to the next: connecting keeps the process alive. */
const UNNEEDED_QUESTION_MS = 1_000

/**
 * Asks what any broker of the cluster can answer, on a connection of its own, so that a question never queues behind
 * messages. Asked are the brokers that are known, and the bootstrap list again when none of them answers.
 */
export class AnyBroker {
  private known: ReadonlyMap<number, BrokerAddress> = new Map()
  private session: BrokerSession | undefined
  private connecting: Promise<BrokerSession> | undefined
  /** Until when brokers want no more questions, by address. */
  private readonly throttledUntil = new Map<string, number>()
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

  /** A broker wants no more questions for so long. */
  throttle(address: BrokerAddress, throttleTimeMs: number): void {
    const now = performance.now()
    for (const [name, until] of this.throttledUntil) if (until <= now) this.throttledUntil.delete(name)
    this.throttledUntil.set(formatAddress(address), now + throttleTimeMs)
  }

  /**
   * Puts a question to one broker after another until one answers. Whatever a question fails with ends its connection:
   * the next one starts elsewhere.
   *
   * @throws MetadataUnavailableError; or, not retriable, what asking again can't help, such as AuthenticationError
   */
  async ask<T>(question: (session: BrokerSession) => Promise<T>): Promise<T> {
    const failures: unknown[] = []
    const startedAt = performance.now()
    for (const candidate of this.candidates()) {
      const isTooLong =
        failures.length > 0 && !this.sessions.isNeeded && performance.now() - startedAt >= UNNEEDED_QUESTION_MS
      if (this.closed || isTooLong) break
      try {
        const answer = await putTo(await candidate(), question)
        this.lastFailure = undefined
        return answer
      } catch (error) {
        debug('%s', (error as Error).message)
        failures.push(error)
      }
    }
    this.lastFailure = whatNoRetryHelps(failures) ?? this.unavailable(failures.at(-1))
    throw this.lastFailure
  }

  close(): void {
    this.closed = true
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
   * Ways to a session, the most promising first: the one at hand, other brokers in random order, the bootstrap list; and
   * at last those that are throttling this client, when they have done with it.
   */
  private *candidates(): Iterable<() => Promise<BrokerSession>> {
    const { session, connecting } = this
    if (session?.connection.isOpen && this.throttleOf(session.connection.address) === 0)
      yield () => Promise.resolve(session)
    if (connecting !== undefined) yield () => connecting
    const throttling: BrokerAddress[] = []
    const seen = new Set<string>()
    for (const address of [...shuffled([...this.known.values()]), ...shuffled(this.bootstrap)]) {
      const name = formatAddress(address)
      if (seen.has(name)) continue
      seen.add(name)
      if (this.throttleOf(address) > 0) throttling.push(address)
      else yield () => this.connect(address)
    }
    throttling.sort((one, other) => this.throttleOf(one) - this.throttleOf(other))
    for (const address of throttling) yield () => this.afterThrottle(address)
  }

  /** For how many milliseconds a broker wants no question. */
  private throttleOf(address: BrokerAddress): number {
    return Math.max(0, (this.throttledUntil.get(formatAddress(address)) ?? 0) - performance.now())
  }

  private async afterThrottle(address: BrokerAddress): Promise<BrokerSession> {
    await sleep(this.throttleOf(address), undefined, { signal: this.sessions.signal, ref: false })
    const { session } = this
    const isThere = session?.connection.isOpen && formatAddress(session.connection.address) === formatAddress(address)
    return isThere ? session : this.connect(address)
  }

  private async connect(address: BrokerAddress): Promise<BrokerSession> {
    const connecting = this.sessions.open(address)
    this.connecting = connecting
    try {
      const session = await connecting
      const previous = this.session
      this.session = session
      if (previous?.connection.isOpen) void previous.connection.close(0)
      return session
    } finally {
      if (this.connecting === connecting) this.connecting = undefined
    }
  }
}

async function putTo<T>(session: BrokerSession, question: (session: BrokerSession) => Promise<T>): Promise<T> {
  try {
    return await question(session)
  } catch (error) {
    void session.connection.close(0)
    throw error
  }
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
