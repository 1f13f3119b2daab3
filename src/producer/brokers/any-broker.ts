import { BoundedMap } from '../../bounded-map.js'
import { sleep, type Clock } from '../../clock.js'
import { AuthenticationError, KafkaProducerError, MetadataUnavailableError, RequestTimeoutError } from '../../errors.js'
import { orAborted } from '../../network/or-aborted.js'
import { Patience } from '../../network/patience.js'
import type { BrokerSession, SessionFactory } from '../../network/session/session.js'
import { MisroutedError } from '../../network/session/versions-question.js'
import type { Stage } from '../../network/stage.js'
import { formatAddress, type BrokerAddress } from '../../network/streams/connect.js'
import { randomInteger, type Random } from '../../random.js'
import type { Surroundings } from '../../surroundings.js'
import { timerDelay } from '../../timer-delay.js'
import { AskingRound, Declined, type Putting } from './asking-round.js'

/** How many of those that are being asked, or were, an error names. */
const MAX_TOLD = 3
/** How long one broker may take, to begin with, to answer what any other could answer as well. */
export const FIRST_PATIENCE_MS = 10_000

/**
 * What is to be asked.
 *
 * @param patienceMs how long the broker may take, where {@link answerTimeoutMs a request} may take as long
 */
export type AnyQuestion<T> = (session: BrokerSession, patienceMs: number) => Promise<T>

/** A session that is being opened, for all questions that want one with that broker. */
interface Opening {
  readonly address: BrokerAddress
  readonly session: Promise<BrokerSession>
  readonly callOff: AbortController
  readonly stage: Stage
  users: number
}

/**
 * Asks what any broker of the cluster can answer, on a connection of its own, so that a question never queues behind
 * messages. Asked are the brokers that are known and the bootstrap list, in an {@link AskingRound}: however many of them are
 * silent, each costs its head start and not its time-out.
 */
export class AnyBroker {
  /** The one that answered last. */
  private session: BrokerSession | undefined
  /** Those that are open, by address: a broker that has not answered yet is asked on the same connection once more. */
  private readonly open = new Map<string, BrokerSession>()
  /** How often the brokers had been forgotten when a question was put last. */
  private timesForgotten = 0
  /** By address. */
  private readonly openings = new Map<string, Opening>()
  /** What each broker that is being asked is at. */
  private readonly stages = new Set<Stage>()
  /** Addresses at which a question was answered. */
  private readonly served = new BoundedMap<string, true>()
  private readonly patience = new Patience(FIRST_PATIENCE_MS)
  /** Why the last question had no answer; undefined once one has. */
  lastFailure: KafkaProducerError | undefined
  /** Whether a broker ever answered. */
  hasAnswered = false

  constructor(
    private readonly sessions: SessionFactory,
    private readonly bootstrap: readonly BrokerAddress[],
    private readonly surroundings: Surroundings,
  ) {}

  /** The brokers of the cluster, by id; empty while only the bootstrap list is known. */
  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.sessions.cluster.brokers
  }

  /** Null where it was never told. */
  get clusterId(): string | null {
    return this.sessions.cluster.id
  }

  /** Whether anybody waits for what questions are put for. */
  get isNeeded(): boolean {
    return this.sessions.isNeeded
  }

  /** Gives whether it is another cluster than before. */
  learn(clusterId: string | null, brokers: ReadonlyMap<number, BrokerAddress>): boolean {
    return this.sessions.cluster.learn(clusterId, brokers)
  }

  /** Some brokers that an answer to messages told of; gives all that are known. */
  learnSome(brokers: ReadonlyMap<number, BrokerAddress>): ReadonlyMap<number, BrokerAddress> {
    return this.sessions.cluster.add(brokers)
  }

  /** None of the known brokers is to be asked any more: the bootstrap list is. */
  forgetBrokers(): void {
    this.sessions.cluster.forgetBrokers()
  }

  /** What is being asked, of whom, and since when; undefined while nothing is. */
  get stage(): string | undefined {
    if (this.stages.size === 0) return undefined
    // Several questions may wait for one connection.
    const stages = [...this.stages].map(({ told }) => String(told))
    return eachOnce(stages, ', ')
  }

  /**
   * Puts a question to one broker after another until one answers. Whatever a question fails with, but {@link Declined},
   * ends its connection: the next one starts elsewhere.
   *
   * @throws MetadataUnavailableError; or, not retriable, what asking again can't help, such as AuthenticationError
   */
  ask<T>(question: AnyQuestion<T>): Promise<T> {
    this.leaveForgotten()
    const round = new AskingRound<T>({
      clock: this.surroundings.clock,
      candidates: this.candidates(),
      atHand: this.atHand,
      put: (address, putting) => this.put(question, address, putting),
      mayBeAsked: (address) => this.mayBeAsked(formatAddress(address)),
      isNeeded: () => this.sessions.isNeeded,
      isClosed: () => this.sessions.signal.aborted,
      isToBeAskedAgain: (address, error) => this.isStranger(address, error),
      failureOf: (failures) => whatNoRetryHelps(failures) ?? this.unavailable(failures),
      onEnd: (failure) => {
        this.lastFailure = failure
        if (failure === undefined) this.hasAnswered = true
      },
    })
    return round.begin()
  }

  /**
   * The brokers were forgotten: an address of the bootstrap list may lead elsewhere by now, which a connection that was opened
   * before tells nothing of.
   */
  private leaveForgotten(): void {
    const { timesForgotten } = this.sessions.cluster
    if (timesForgotten === this.timesForgotten) return
    this.timesForgotten = timesForgotten
    this.session = undefined
    for (const { connection } of [...this.open.values()]) void connection.close(0)
  }

  /** Puts the question to one broker. The session that answers is kept for the next question, instead of the last one. */
  private async put<T>(
    question: AnyQuestion<T>,
    address: BrokerAddress,
    { signal, stage, butNotOn }: Putting,
  ): Promise<T> {
    this.stages.add(stage)
    let session: BrokerSession | undefined
    // Other questions may be on it, which drop it as well.
    const drop = () => {
      if (session?.connection.isOpen === true) void session.connection.close(0)
    }
    try {
      session = await this.reach(address, { signal, stage, butNotOn })
      this.keep(session, butNotOn)
      signal.addEventListener('abort', drop, { once: true })
      if (signal.aborted) drop()
      stage.enter(`waiting for ${formatAddress(session.connection.address)} to answer`)
      // It was answered there before: if the broker hangs up now, it is not for want of SASL.
      if (this.served.has(formatAddress(address))) session.connection.hint = undefined
      const answer = await this.answerTo(question, session, signal)
      signal.throwIfAborted()
      this.served.set(formatAddress(address), true)
      const previous = this.session
      this.session = session
      if (previous !== session) void previous?.connection.close(0)
      return answer
    } catch (error) {
      if (!(error instanceof Declined)) drop()
      else if (this.session?.connection.isOpen !== true) this.session = session
      else if (this.session !== session) drop()
      throw session === undefined ? error : await this.sessions.whyUnanswered(session, error, signal)
    } finally {
      signal.removeEventListener('abort', drop)
      this.stages.delete(stage)
    }
  }

  private async answerTo<T>(question: AnyQuestion<T>, session: BrokerSession, signal: AbortSignal): Promise<T> {
    const { clock } = this.surroundings
    const askedAt = clock.now()
    try {
      const answer = await orAborted(question(session, this.patience.ms), signal)
      this.patience.answered(clock.now() - askedAt)
      return answer
    } catch (error) {
      if (error instanceof RequestTimeoutError && !signal.aborted) this.patience.lost()
      throw error
    }
  }

  private unavailable(failures: readonly unknown[]): MetadataUnavailableError {
    const asked =
      this.brokers.size > 0 ? 'none of the known brokers and none of the bootstrap list' : 'none of the bootstrap list'
    // Each may be away for a reason of its own.
    const reasons = failures.map((failure) => (failure as Error).message)
    const why = failures.length > 0 ? eachOnce(reasons, '; ') : 'the producer is closed'
    return new MetadataUnavailableError(`${asked} answered: ${why}`, { cause: failures.at(-1) })
  }

  /**
   * Whom to ask, the most promising first: the one that answered last; those that are being connected to; other brokers
   * and the bootstrap list in turn, each in random order. One that throttles this client comes last.
   */
  private *candidates(): Iterator<BrokerAddress, undefined> {
    const { random } = this.surroundings
    const atHand = this.atHand
    const isThrottled = atHand !== undefined && atHand.throttle.leftMs > 0
    const first = atHand === undefined || isThrottled ? [] : [atHand.connection.address]
    const last = isThrottled ? [atHand.connection.address] : []
    const others = inTurn(shuffled([...this.brokers.values()], random), shuffled(this.bootstrap, random))
    const seen = new Set<string>([...first, ...last].map(formatAddress))
    // What one has answered meanwhile may have had those that were known forgotten.
    const isNew = (address: BrokerAddress) => {
      const name = formatAddress(address)
      return !seen.has(name) && this.mayBeAsked(name)
    }
    yield* first
    for (let at = 0; ;) {
      // However many questions go on to the next broker at once, they go to the same one.
      const next = this.beingOpened.find(isNew) ?? others[at++]
      if (next === undefined) break
      if (!isNew(next)) continue
      seen.add(formatAddress(next))
      yield next
    }
    yield* last
    return undefined
  }

  /** Those that are being connected to, and not called off. */
  private get beingOpened(): BrokerAddress[] {
    return [...this.openings.values()].filter(({ users }) => users > 0).map(({ address }) => address)
  }

  /** The session of the last answer; not where its broker has left the cluster since, or is not to be asked any more. */
  get atHand(): BrokerSession | undefined {
    const { session } = this
    if (session?.connection.isOpen !== true) return undefined
    return this.mayBeAsked(formatAddress(session.connection.address)) ? session : undefined
  }

  private mayBeAsked(name: string): boolean {
    return this.nodeAt(name) !== undefined || this.isOfBootstrap(name)
  }

  /** Whether one of the bootstrap list is another broker than was taken for granted: then it is asked as any of that list is. */
  private isStranger(address: BrokerAddress, error: unknown): boolean {
    return (error as Error).cause instanceof MisroutedError && this.isOfBootstrap(formatAddress(address))
  }

  private isOfBootstrap(name: string): boolean {
    return this.bootstrap.some((address) => formatAddress(address) === name)
  }

  /** The id of the broker that the metadata has at this address. */
  private nodeAt(name: string): number | undefined {
    for (const [id, address] of this.brokers) if (formatAddress(address) === name) return id
    return undefined
  }

  /** A session with that broker: the one at hand, when its throttling is over, or a new one. */
  private async reach(address: BrokerAddress, { signal, stage, butNotOn }: Putting): Promise<BrokerSession> {
    const atHand = this.sessionWith(address, butNotOn)
    if (atHand !== undefined && atHand.throttle.leftMs > 0) {
      stage.enter(`heeding that ${formatAddress(address)} ${String(atHand.throttle)}`)
      await throttled(this.surroundings.clock, atHand, signal)
      signal.throwIfAborted()
    }
    return this.sessionWith(address, butNotOn) ?? (await this.connect(address, signal, stage))
  }

  private sessionWith(address: BrokerAddress, butNot: BrokerSession | undefined): BrokerSession | undefined {
    const session = this.open.get(formatAddress(address))
    return session === butNot ? undefined : session
  }

  /** @param instead another one may be open, which it stands in for */
  private keep(session: BrokerSession, instead: BrokerSession | undefined): void {
    const { connection } = session
    const name = formatAddress(connection.address)
    const known = this.open.get(name)
    if ((known !== undefined && known !== instead) || !connection.isOpen) return
    this.open.set(name, session)
    connection.onClose(() => {
      if (this.open.get(name) === session) this.open.delete(name)
    })
  }

  private connect(address: BrokerAddress, signal: AbortSignal, stage: Stage): Promise<BrokerSession> {
    const name = formatAddress(address)
    let opening = this.openings.get(name)
    if (opening === undefined) {
      const callOff = new AbortController()
      const session = this.sessions
        .open(address, { signal: callOff.signal, stage, nodeId: this.nodeAt(name) })
        .finally(() => this.openings.delete(name))
      opening = { address, session, callOff, stage, users: 0 }
      this.openings.set(name, opening)
    }
    return this.join(opening, signal, stage)
  }

  /** It is called off with the last of those who want it. */
  private async join(opening: Opening, signal: AbortSignal, stage: Stage): Promise<BrokerSession> {
    const leave = () => {
      if (--opening.users === 0) opening.callOff.abort(signal.reason)
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

/** How long one broker has to answer a question: one that is stalled must not hold up what the next could answer. */
export function answerTimeoutMs(requestTimeoutMs: number, patienceMs = FIRST_PATIENCE_MS): number {
  return Math.min(requestTimeoutMs, patienceMs)
}

/** Resolves when the broker welcomes requests again, or the connection it said otherwise on has ended. */
export async function throttled(
  clock: Clock,
  { connection, throttle }: BrokerSession,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const ended = new AbortController()
  const end = () => ended.abort()
  // Both may outlive many a wait.
  const forget = connection.onClose(end)
  signal.addEventListener('abort', end, { once: true })
  await sleep(clock, timerDelay(throttle.leftMs), ended.signal).catch(() => undefined)
  signal.removeEventListener('abort', end)
  forget()
}

/** One of each list after the other. */
function inTurn<T>(one: readonly T[], other: readonly T[]): T[] {
  return Array.from({ length: Math.max(one.length, other.length) }, (_, i) => [one[i], other[i]])
    .flat()
    .filter((item) => item !== undefined)
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

/** Each of these texts once, as far as an error has room for them. */
function eachOnce(texts: readonly string[], separator: ', ' | '; '): string {
  const all = [...new Set(texts)]
  const told = all.slice(0, MAX_TOLD).join(separator)
  return all.length > MAX_TOLD ? `${told}${separator}and ${all.length - MAX_TOLD} more` : told
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1)
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}
