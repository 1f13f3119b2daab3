import Denque from 'denque'
import { QueueFullError, type KafkaProducerError } from '../../errors.js'
import { timerDelay } from '../../timer-delay.js'
import type { TurnBudget } from '../../turn-budget.js'
import type { BufferBound } from '../queues/buffer-bound.js'
import type { SerializedMessage } from '../queues/serialized-message.js'
import { SetAside } from './set-aside.js'

/** So many are admitted in a turn at the least: what is sent together should travel together on a slow machine too. */
const MIN_PER_TURN = 500
/** Messages are handed on in runs, and the clock is read once for so many. */
const RUN = 64

/** Takes the messages `from` a place up to but not including another, for which there is room. */
export type AdmittedMessages = (messages: readonly SerializedMessage[], from: number, to: number) => void

/** Which topics there is metadata for. */
export interface KnownTopics {
  readonly knowsAny: boolean
  isUnknown(topic: string): boolean
}

/** A call's messages on their way in. */
interface Entry {
  /** Undefined while an encoder still works. */
  messages: readonly SerializedMessage[] | undefined
  /** The next message to be admitted. */
  next: number
  /** When it was given, or last got a message in: its patience counts from then. */
  since: number
}

/**
 * Where messages come in: in the order of the calls that gave them, however long an encoder takes, and only as far as
 * there is room. Whoever finds none waits, first come first served, for `enqueueTimeoutMs`.
 *
 * Messages for topics without metadata have half of the room at most: names may come from anywhere, and what is sent to
 * topics that don't exist must not keep out what is sent to those that do. Beyond it they wait apart. Only while no
 * topic is known at all, as at the start, they may have all of it.
 */
export class Admission {
  private readonly entries = new Denque<Entry>()
  private readonly aside = new SetAside()
  private expiryTimer: NodeJS.Timeout | undefined
  private admittedThisTurn = 0
  /** How many admitted make it look at the clock again. */
  private lookAtClockAt = RUN
  private isTurnOver = false
  private readonly startTurn = (): void => {
    this.admittedThisTurn = 0
    this.lookAtClockAt = RUN
    this.isTurnOver = false
    this.pump()
  }
  /** True within {@link admitFrom}: a callback may send, or abort, in the midst of it. */
  private isAdmitting = false

  /**
   * @param enqueueTimeoutMs 0: fail at once; negative: wait without limit
   * @param topics tells for which topics there is metadata
   * @param admit takes messages in, of one call
   * @param refuse tells a message that it was not taken in
   */
  constructor(
    private readonly bound: BufferBound,
    private readonly turn: TurnBudget,
    private readonly enqueueTimeoutMs: number,
    private readonly topics: KnownTopics,
    private readonly admit: AdmittedMessages,
    private readonly refuse: (message: SerializedMessage, cause: KafkaProducerError) => void,
  ) {}

  /** Takes in what there is room for, now or when it is this call's turn. The promise never rejects. */
  submit(messages: readonly SerializedMessage[] | Promise<readonly SerializedMessage[]>): void {
    if ('then' in messages) {
      const entry: Entry = { messages: undefined, next: 0, since: performance.now() }
      this.entries.push(entry)
      void messages.then((serialized) => {
        entry.messages = serialized
        this.pump()
      })
      return
    }
    // Mostly nobody waits, and there is room.
    const next = this.entries.isEmpty() && !this.isAdmitting ? this.admitFrom(messages, 0) : 0
    if (next === messages.length) return
    this.entries.push({ messages, next, since: performance.now() })
    if (this.entries.length === 1) this.pump()
  }

  /** Called when room was given back. */
  pump(): void {
    if (this.isAdmitting) return
    if (!this.aside.isEmpty) this.admitAside()
    for (let entry = this.entries.peekFront(); entry?.messages !== undefined; entry = this.entries.peekFront()) {
      const next = this.admitFrom(entry.messages, entry.next)
      if (next > entry.next) entry.since = performance.now()
      entry.next = next
      if (next < entry.messages.length) {
        if (this.isTurnOver) return
        if (this.mayWait(entry.since)) return
        this.entries.shift()
        this.refuseRest(entry)
      } else {
        this.entries.shift()
      }
    }
  }

  /** Whether a message that waits for nobody can come in. */
  hasRoomNow(message: SerializedMessage): boolean {
    return (
      this.entries.isEmpty() &&
      !this.isAdmitting &&
      !this.isTurnOver &&
      this.bound.hasRoomFor(message.bytes) &&
      !this.belongsAside(message)
    )
  }

  /** Takes in one that {@link hasRoomNow}. */
  admitNow(message: SerializedMessage): void {
    this.admitFrom([message], 0)
  }

  /** Takes in messages as long as there is room and the turn is not over; returns the place of the first left outside. */
  private admitFrom(messages: readonly SerializedMessage[], from: number): number {
    let next = from
    this.isAdmitting = true
    while (next < messages.length && !this.isTurnOver) {
      const start = next
      const end = Math.min(start + RUN, messages.length)
      let taken = 0
      for (; next < end; next++) {
        const message = messages[next] as SerializedMessage
        if (message.settled) continue
        if (!this.bound.hasRoomFor(message.bytes) || this.belongsAside(message)) break
        this.bound.take(message, this.topics.isUnknown(message.topic))
        taken++
      }
      if (taken > 0) {
        this.countForTurn(taken)
        const { owner } = messages[start] as SerializedMessage
        owner.admitted(taken)
        this.admit(messages, start, next)
      }
      const outside = next < end ? messages[next] : undefined
      if (outside !== undefined && this.belongsAside(outside)) {
        this.setAside(outside)
        next++
        continue
      }
      // Some of those taken in may have been refused, and given back their room.
      if (next < end && taken === 0) break
    }
    this.isAdmitting = false
    return next
  }

  /** Whether a message has to wait apart from the line. */
  private belongsAside({ topic, bytes }: SerializedMessage): boolean {
    return this.aside.has(topic) || (this.topics.isUnknown(topic) && !this.hasShareFor(bytes))
  }

  /** As long as no topic is known, there are no messages to keep room for. */
  private hasShareFor(bytes: number): boolean {
    return !this.topics.knowsAny || this.bound.hasShareFor(bytes)
  }

  private setAside(message: SerializedMessage): void {
    if (this.enqueueTimeoutMs === 0) {
      this.refuse(message, this.noRoom())
      return
    }
    this.aside.add(message)
    this.mayWait(performance.now())
  }

  private admitAside(): void {
    this.isAdmitting = true
    this.aside.drain(({ message, since }) => {
      const { topic, bytes, owner } = message
      const isUnknown = this.topics.isUnknown(topic)
      if (this.isTurnOver) return false
      if (this.bound.hasRoomFor(bytes) && (!isUnknown || this.hasShareFor(bytes))) {
        this.bound.take(message, isUnknown)
        this.countForTurn(1)
        owner.admitted(1)
        this.admit([message], 0, 1)
        return true
      }
      if (this.mayWait(since)) return false
      this.refuse(message, this.noRoom())
      return true
    })
    this.isAdmitting = false
  }

  private countForTurn(admitted: number): void {
    if (this.admittedThisTurn === 0) this.turn.inNextTurn(this.startTurn)
    this.admittedThisTurn += admitted
    if (this.admittedThisTurn < this.lookAtClockAt) return
    this.lookAtClockAt = this.admittedThisTurn + RUN
    this.isTurnOver = this.turn.isSpent && this.admittedThisTurn >= MIN_PER_TURN
  }

  /** False when patience is over. The timer needs not keep the process alive: the calls' deadlines do. */
  private mayWait(since: number): boolean {
    if (this.enqueueTimeoutMs < 0) return true
    const left = since + this.enqueueTimeoutMs - performance.now()
    if (left <= 0) return false
    this.expiryTimer ??= setTimeout(() => {
      this.expiryTimer = undefined
      this.pump()
    }, timerDelay(left)).unref()
    return true
  }

  private refuseRest(entry: Entry): void {
    const cause = this.noRoom()
    for (const message of entry.messages?.slice(entry.next) ?? []) if (!message.settled) this.refuse(message, cause)
  }

  private noRoom(): QueueFullError {
    const { messages, bytes, maxMessages, maxBytes, unknownMessages, unknownBytes } = this.bound
    const ofUnknown =
      unknownMessages === 0
        ? ''
        : `, ${unknownMessages} messages and ${unknownBytes} bytes of it for topics without metadata, which may have half`
    return new QueueFullError(
      `no room for the message within enqueueTimeoutMs (${this.enqueueTimeoutMs} ms): ${messages} of queueMessages ${maxMessages} and ${bytes} of queueBytes ${maxBytes} are taken${ofUnknown}`,
    )
  }

  /** Ends the wait for room; everything here has its fate by now. */
  close(): void {
    clearTimeout(this.expiryTimer)
    this.entries.clear()
    this.aside.clear()
  }
}
