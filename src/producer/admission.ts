import Denque from 'denque'
import { QueueFullError, type KafkaProducerError } from '../errors.js'
import type { BufferBound } from './buffer-bound.js'
import type { SerializedMessage } from './serialized-message.js'

/** Messages admitted in one go before the event loop gets its turn. */
const SLICE = 4_000

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
 */
export class Admission {
  private readonly entries = new Denque<Entry>()
  private expiryTimer: NodeJS.Timeout | undefined
  private isScheduled = false
  private admittedThisTurn = 0

  /**
   * @param enqueueTimeoutMs 0: fail at once; negative: wait without limit
   * @param admit takes a message in, for which there is room
   * @param refuse tells a message that it was not taken in
   */
  constructor(
    private readonly bound: BufferBound,
    private readonly enqueueTimeoutMs: number,
    private readonly admit: (message: SerializedMessage) => void,
    private readonly refuse: (message: SerializedMessage, cause: KafkaProducerError) => void,
  ) {}

  /** Takes in what there is room for, now or when it is this call's turn. The promise never rejects. */
  submit(messages: readonly SerializedMessage[] | Promise<readonly SerializedMessage[]>): void {
    const entry: Entry = { messages: undefined, next: 0, since: performance.now() }
    this.entries.push(entry)
    if ('then' in messages) {
      void messages.then((serialized) => {
        entry.messages = serialized
        this.pump()
      })
    } else {
      entry.messages = messages
      if (this.entries.length === 1) this.pump()
    }
  }

  /** Called when room was given back. */
  pump(): void {
    for (let entry = this.entries.peekFront(); entry?.messages !== undefined; entry = this.entries.peekFront()) {
      if (this.admittedThisTurn >= SLICE) return this.continueNextTurn()
      if (!this.admitSome(entry, entry.messages)) {
        if (this.admittedThisTurn >= SLICE) return this.continueNextTurn()
        return this.awaitRoom(entry)
      }
      this.entries.shift()
    }
  }

  /** Returns true when all of the entry's messages are in. */
  private admitSome(entry: Entry, messages: readonly SerializedMessage[]): boolean {
    const first = entry.next
    while (entry.next < messages.length) {
      const message = messages[entry.next] as SerializedMessage
      if (!message.settled) {
        if (this.admittedThisTurn >= SLICE || !this.bound.hasRoomFor(message.bytes)) {
          if (entry.next > first) entry.since = performance.now()
          return false
        }
        this.bound.take(message.bytes)
        this.admittedThisTurn++
        message.isAdmitted = true
        message.owner.admitted()
        this.admit(message)
      }
      entry.next++
    }
    if (this.admittedThisTurn > 0) this.continueNextTurn()
    return true
  }

  private continueNextTurn(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.admittedThisTurn = 0
      this.pump()
    })
  }

  private awaitRoom(entry: Entry): void {
    if (this.enqueueTimeoutMs < 0) return
    const left = entry.since + this.enqueueTimeoutMs - performance.now()
    if (left <= 0) {
      this.entries.shift()
      this.refuseRest(entry)
      this.pump()
    } else {
      this.expiryTimer ??= setTimeout(() => {
        this.expiryTimer = undefined
        this.pump()
      }, Math.ceil(left))
    }
  }

  private refuseRest(entry: Entry): void {
    const { messages, bytes, maxMessages, maxBytes } = this.bound
    const cause = new QueueFullError(
      `no room for the message within enqueueTimeoutMs (${this.enqueueTimeoutMs} ms): ${messages} of queueMessages ${maxMessages} and ${bytes} of queueBytes ${maxBytes} are taken`,
    )
    for (const message of entry.messages?.slice(entry.next) ?? []) if (!message.settled) this.refuse(message, cause)
  }

  /** Ends the wait for room; everything here has its fate by now. */
  close(): void {
    clearTimeout(this.expiryTimer)
    this.entries.clear()
  }
}
