import Denque from 'denque'
import type { Clock, Timer } from '../clock.js'
import type { TurnBudget } from '../turn-budget.js'
import type { AdmittedMessages } from './calls/admission.js'
import type { OutgoingMessage } from './queues/outgoing-message.js'

export interface SendLoopConfig {
  readonly lingerMs: number
  readonly batchMessages: number
  readonly batchBytes: number
}

/** Messages are released in runs, and the clock is read once for so many. */
const RUN = 256

/**
 * The queue of async mode and what empties it (Kafka 0.8's ProducerSendThread). Messages are released to the event
 * handler together, in the order they came: when there are `batchMessages`, when they have `batchBytes` (so no
 * partition ever waits with a full batch), when `lingerMs` has passed since the first of them, or when somebody waits
 * for their fate. It never waits for an earlier release: one slow broker holds up nobody else's messages.
 */
export class ProducerSendLoop {
  private readonly queue = new Denque<OutgoingMessage>()
  private queuedBytes = 0
  private timer: Timer | undefined
  /** How many wait for the fate of messages: then nothing lingers. */
  private hurried = 0
  /** How many of the oldest are released, and go on within the next turns. */
  private toRelease = 0
  private isReleasing = false

  constructor(
    private readonly config: SendLoopConfig,
    private readonly turn: TurnBudget,
    private readonly release: AdmittedMessages,
    /** Told of each message that is to linger. */
    private readonly measure: (message: OutgoingMessage) => void,
    private readonly clock: Clock,
  ) {}

  /** How many messages linger. */
  get size(): number {
    return this.queue.length
  }

  put(messages: readonly OutgoingMessage[], from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const message = messages[i] as OutgoingMessage
      // What was ended while it waited for room among these holds none.
      if (message.room === undefined) continue
      this.measure(message)
      this.queue.push(message)
      this.queuedBytes += message.room ?? 0
    }
    const { batchMessages, batchBytes, lingerMs } = this.config
    if (this.queue.length - this.toRelease >= batchMessages || this.queuedBytes >= batchBytes || this.hurried > 0)
      this.releaseAll()
    else this.timer ??= this.clock.setTimeout(() => this.releaseAll(), lingerMs)
  }

  /** Releases what lingers, and all that comes until `done` settles, without lingering. */
  async hurry(done: Promise<unknown>): Promise<void> {
    this.hurried++
    this.releaseAll()
    try {
      await done
    } finally {
      this.hurried--
    }
  }

  /** Releases what lingers. */
  releaseAll(): void {
    this.clock.clearTimeout(this.timer)
    this.timer = undefined
    this.queuedBytes = 0
    this.toRelease = this.queue.length
    if (!this.isReleasing) this.releaseSlice()
  }

  /** What comes meanwhile, from who hears of a message, goes to the end of the queue, so the order stays. */
  private releaseSlice(): void {
    this.isReleasing = true
    do {
      const run: OutgoingMessage[] = []
      for (; run.length < RUN && this.toRelease > 0; this.toRelease--) run.push(this.queue.shift() as OutgoingMessage)
      this.release(run, 0, run.length)
    } while (this.toRelease > 0 && !this.turn.isSpent)
    this.isReleasing = this.toRelease > 0
    if (this.isReleasing) this.turn.inNextTurn(() => this.releaseSlice())
  }
}
