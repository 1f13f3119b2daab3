import Denque from 'denque'
import { Deadline, type Clock } from '../../clock.js'
import { QueueFullError, type KafkaProducerError } from '../../errors.js'
import { timerDelay } from '../../timer-delay.js'
import type { TurnBudget } from '../../turn-budget.js'
import { counted } from '../../wording/counted.js'
import type { MessageOwner, OutgoingMessage } from '../queues/outgoing-message.js'
import { Refusals } from '../queues/refusals.js'
import type { Room } from '../queues/room.js'
import { SetAside } from './set-aside.js'
import { takeImpatient, type WaitingCall } from './waiting-call.js'

/** So many are admitted in a turn at the least: what is sent together should travel together on a slow machine too. */
const MIN_PER_TURN = 500
/** Messages are handed on in runs, and the clock is read once for so many. */
const RUN = 64

/** Takes the messages `from` a place up to but not including another, for which there is room. */
export type AdmittedMessages = (messages: readonly OutgoingMessage[], from: number, to: number) => void

/** Which topics there is metadata for. */
export interface KnownTopics {
  readonly knowsAny: boolean
  isUnknown(topic: string): boolean
}

/** A call's messages on their way in. */
interface Entry extends WaitingCall {
  /** Whether it was told that it waits for room. */
  isTold: boolean
}

export interface AdmissionParts {
  readonly clock: Clock
  readonly room: Room
  readonly turn: TurnBudget
  /** 0: fail at once; negative: wait without limit. */
  readonly enqueueTimeoutMs: number
  readonly topics: KnownTopics
  /** Takes messages in, of one call. */
  readonly admit: AdmittedMessages
  /** Whether the messages of one call are about to be told that they have ended. */
  readonly isEnding: (owner: MessageOwner) => boolean
  /** Tells a message that it was not taken in. */
  readonly refuse: (message: OutgoingMessage, cause: KafkaProducerError) => void
  /** Somebody waits for room: whatever lingers may go. Told again as long as that does not help, and is no news then. */
  readonly onWaiting: (isNews: boolean) => void
}

/**
 * Where messages come in: in the order of the calls that gave them, and only as far as there is room. Whoever finds none
 * waits, first come first served, for `enqueueTimeoutMs`.
 *
 * Messages for topics without metadata have half of the room at most: names may come from anywhere, and what is sent to
 * topics that don't exist must not keep out what is sent to those that do. Beyond it they wait apart. Only while no
 * topic is known at all, as at the start, they may have all of it.
 */
export class Admission {
  private readonly entries = new Denque<Entry>()
  private readonly aside = new SetAside()
  /** Whether something has changed for those that wait there since they were last looked at. */
  private isAsideDue = false
  /** Whether one came to wait there since {@link AdmissionParts.onWaiting} was called last. */
  private isNewAside = false
  private readonly refusals: Refusals
  private patienceEnd: Deadline | undefined
  /** Whether there may be somebody who does not wait for ever, for whom no timer is set. */
  private mayBeImpatient = false
  private admittedThisTurn = 0
  /** How many admitted make it look at the clock again. */
  private lookAtClockAt = RUN
  private isTurnOver = false
  private isClosed = false
  private readonly startTurn = (): void => {
    this.admittedThisTurn = 0
    this.lookAtClockAt = RUN
    this.isTurnOver = false
    this.knownTopic = undefined
    this.onRoom()
  }
  /** True within {@link admitFrom}: a partitioner may send, or abort, in the midst of it. */
  private isAdmitting = false
  /** A topic of which there was metadata in this turn. */
  private knownTopic: string | undefined

  constructor(private readonly parts: AdmissionParts) {
    this.refusals = new Refusals(parts.turn, parts.refuse)
  }

  /** Takes in what there is room for, now or when it is this call's turn. */
  submit(messages: readonly OutgoingMessage[]): void {
    if (this.isClosed) return
    const isFirst = this.entries.isEmpty() && !this.isAdmitting
    // Mostly nobody waits, and there is room.
    const next = isFirst ? this.admitFrom(messages, 0) : 0
    if (next < messages.length) {
      const entry = { messages, next, since: this.parts.clock.now(), isTold: false }
      if (this.endOf(entry) < Infinity) this.mayBeImpatient = true
      // What a partitioner has given meanwhile came later.
      if (isFirst) this.entries.unshift(entry)
      else this.entries.push(entry)
    }
    if (isFirst && !this.entries.isEmpty()) return this.pump()
    this.tellOfAside()
    this.keepWatch()
  }

  /** Called when room was given back. */
  onRoom(): void {
    if (this.isAdmitting || this.isClosed) return
    if (this.parts.room.wasShareFreed()) this.isAsideDue = true
    if (this.isAsideDue && !this.aside.isEmpty) this.admitAside()
    this.admitLine()
    this.tellOfAside()
    this.keepWatch()
  }

  /** Called when topics have metadata by now, or some of those who wait have ended. */
  pump(): void {
    // Each of their topics is looked at: there may be very many, of which what goes elsewhere is to know nothing.
    this.isAsideDue = true
    this.onRoom()
  }

  /**
   * Tells of each that comes to wait apart. What takes up the share of unknown topics may be lingering in the queue of async
   * mode: its topics are asked for only when it is released, so the share would stay taken until then.
   */
  private tellOfAside(): void {
    if (!this.isNewAside || this.isAdmitting) return
    this.isNewAside = false
    this.parts.onWaiting(true)
  }

  private admitLine(): void {
    for (let entry = this.entries.peekFront(); entry !== undefined; entry = this.entries.peekFront()) {
      // It is being told its fate, and would be encoded for nothing.
      if (this.parts.isEnding((entry.messages[entry.next] as OutgoingMessage).owner)) {
        this.entries.shift()
        continue
      }
      const next = this.admitFrom(entry.messages, entry.next)
      if (next > entry.next) entry.since = this.parts.clock.now()
      entry.next = next
      if (next < entry.messages.length) {
        if (this.isTurnOver) return
        const isNews = !entry.isTold
        entry.isTold = true
        this.parts.onWaiting(isNews)
        // What lingered may have given back room, and this was called for that.
        const isStill = this.entries.peekFront() === entry && entry.next === next
        if (isStill && !this.hasRoomFor(entry)) return
      } else {
        this.entries.shift()
      }
    }
  }

  /** Whether nobody waits for room, or for a turn. */
  get isEmpty(): boolean {
    return this.entries.isEmpty() && this.aside.isEmpty
  }

  /** Whether somebody waits for whom there is no room. */
  get lacksRoom(): boolean {
    return !this.isEmpty && !this.isTurnOver
  }

  /** Whether anybody stands in line; what waits apart for a topic that is unknown is no concern of the others. */
  get hasLine(): boolean {
    return !this.entries.isEmpty()
  }

  /** Whether anything waits apart. */
  get hasAside(): boolean {
    return !this.aside.isEmpty
  }

  /** Whether messages for this topic do. */
  isAside(topic: string): boolean {
    return this.aside.has(topic)
  }

  /** Whether the line may be shorter in the next turn, with nobody told of it. */
  get waitsForTurn(): boolean {
    return this.isTurnOver && this.hasLine
  }

  /**
   * Takes room for one message, where nobody waits and there is some, as it is mostly: {@link admitNow} must follow. False
   * where it has to stand in line.
   */
  takeRoomNow(message: OutgoingMessage): boolean {
    if (this.isAdmitting || this.isTurnOver || !this.entries.isEmpty() || this.belongsAside(message)) return false
    return this.parts.room.take(message, this.isUnknown(message.topic))
  }

  /** Takes in one that has its room. */
  admitNow(message: OutgoingMessage): void {
    this.isAdmitting = true
    this.countForTurn(1)
    message.owner.admitted(1)
    this.parts.admit([message], 0, 1)
    this.isAdmitting = false
    if (!this.entries.isEmpty()) this.pump()
  }

  /** Takes in messages as long as there is room and the turn is not over; returns the place of the first left outside. */
  private admitFrom(messages: readonly OutgoingMessage[], from: number): number {
    const { room, admit } = this.parts
    let next = from
    this.isAdmitting = true
    while (next < messages.length && !this.isTurnOver) {
      const start = next
      const end = Math.min(start + RUN, messages.length)
      let taken = 0
      for (; next < end; next++) {
        const message = messages[next] as OutgoingMessage
        if (message.isSettled) continue
        if (this.belongsAside(message) || !room.take(message, this.isUnknown(message.topic))) break
        taken++
      }
      if (taken > 0) {
        this.countForTurn(taken)
        const { owner } = messages[start] as OutgoingMessage
        owner.admitted(taken)
        admit(messages, start, next)
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
  private belongsAside(message: OutgoingMessage): boolean {
    return this.aside.has(message.topic) || (this.isUnknown(message.topic) && !this.hasShareFor(message))
  }

  /** Mostly a message is for the topic of the one before. */
  private isUnknown(topic: string): boolean {
    if (topic === this.knownTopic) return false
    const isUnknown = this.parts.topics.isUnknown(topic)
    if (!isUnknown) this.knownTopic = topic
    return isUnknown
  }

  /** As long as no topic is known, there are no messages to keep room for. */
  private hasShareFor(message: OutgoingMessage): boolean {
    return !this.parts.topics.knowsAny || this.parts.room.hasShareFor(message)
  }

  private hasRoomFor({ messages, next }: Entry): boolean {
    const message = messages[next] as OutgoingMessage
    return this.parts.room.hasRoomFor(message, this.isUnknown(message.topic))
  }

  private setAside(message: OutgoingMessage): void {
    const patience = this.patienceOf(message)
    if (patience === 0) return this.refusals.add([message], 0, this.noRoom())
    if (patience < Infinity) this.mayBeImpatient = true
    this.aside.add(message, this.parts.clock.now())
    this.isNewAside = true
  }

  private admitAside(): void {
    const { room, admit } = this.parts
    this.isAdmitting = true
    this.isAsideDue = false
    this.aside.drain(this.parts.clock.now(), (message) => {
      const isUnknown = this.isUnknown(message.topic)
      if (isUnknown && !this.hasShareFor(message)) return false
      if (this.isTurnOver || !room.take(message, isUnknown)) {
        this.isAsideDue = true
        return false
      }
      this.countForTurn(1)
      message.owner.admitted(1)
      admit([message], 0, 1)
      return true
    })
    this.isAdmitting = false
  }

  private countForTurn(admitted: number): void {
    const { turn } = this.parts
    if (this.admittedThisTurn === 0) turn.inNextTurn(this.startTurn)
    this.admittedThisTurn += admitted
    if (this.admittedThisTurn < this.lookAtClockAt) return
    this.lookAtClockAt = this.admittedThisTurn + RUN
    this.isTurnOver = turn.isSpent && this.admittedThisTurn >= MIN_PER_TURN
  }

  /**
   * Sees to it that nobody waits longer than `enqueueTimeoutMs` for room. Those who wait only for a turn may find some in
   * the next one, which comes here too; and so does whoever takes messages in, at the end.
   */
  private keepWatch(): void {
    this.tellRefused()
    const isWatched = this.patienceEnd !== undefined || !this.mayBeImpatient || this.isEmpty
    if (!isWatched && !this.isAdmitting && !this.isTurnOver) this.watchPatience()
  }

  /**
   * Refuses those whose patience is over, wherever in line they are: they were promised an answer by then. The timer
   * needs not keep the process alive, the calls' deadlines do.
   */
  private watchPatience(): void {
    const now = this.parts.clock.now()
    let cause: QueueFullError | undefined
    for (let head = this.entries.peekFront(); head !== undefined; head = this.entries.peekFront()) {
      if (this.endOf(head) > now) break
      this.entries.shift()
      this.refusals.add(head.messages, head.next, (cause ??= this.noRoom()))
      // There may be room for those behind it.
      const second = this.entries.peekFront()
      if (second === undefined || !this.hasRoomFor(second)) continue
      this.tellRefused()
      this.admitLine()
      if (this.isTurnOver) return
    }
    const impatient: WaitingCall[] = []
    const inLine = takeImpatient(this.entries, now, this.endOf, impatient)
    const next = Math.min(inLine, this.aside.takeImpatient(now, this.endOf, impatient))
    this.patienceEnd?.cancel()
    this.patienceEnd = undefined
    this.mayBeImpatient = false
    if (next < Infinity)
      this.patienceEnd = new Deadline(this.parts.clock, timerDelay(next - now), this.pumpOrRefuse).unref()
    // Told when the lines are whole again.
    for (const { messages, next: first } of impatient) this.refusals.add(messages, first, (cause ??= this.noRoom()))
    this.tellRefused()
  }

  /** How long a message may wait for room. */
  private patienceOf({ owner }: OutgoingMessage): number {
    const { enqueueTimeoutMs } = this.parts
    return owner.isPatient || enqueueTimeoutMs < 0 ? Infinity : enqueueTimeoutMs
  }

  /** When those of a call that are still outside are refused. */
  private readonly endOf = ({ messages, next, since }: WaitingCall): number =>
    since + this.patienceOf(messages[next] as OutgoingMessage)

  private readonly pumpOrRefuse = (): void => {
    this.patienceEnd = undefined
    this.mayBeImpatient = true
    this.pump()
  }

  /** Once the lines are whole. */
  private tellRefused(): void {
    if (!this.isAdmitting) this.refusals.tell()
  }

  private noRoom(): QueueFullError {
    const { messages, bytes, maxMessages, maxBytes, unknownMessages, unknownBytes } = this.parts.room
    const ofUnknown =
      unknownMessages === 0
        ? ''
        : `, ${counted(unknownMessages, 'message')} and ${counted(unknownBytes, 'byte')} of it for topics without metadata, which may have half`
    return new QueueFullError(
      `no room for the message within enqueueTimeoutMs (${this.parts.enqueueTimeoutMs} ms): ${messages} of queueMessages ${maxMessages} and ${bytes} of queueBytes ${maxBytes} are taken${ofUnknown}`,
    )
  }

  /** Nothing is taken in any more: what waits for room has its fate, or is about to be told. */
  close(): void {
    this.isClosed = true
    this.patienceEnd?.cancel()
    this.entries.clear()
    this.aside.clear()
    this.refusals.clear()
  }
}
