import type { Clock, Timer } from '../../clock.js'

/** The streams that were ended and are not through with what they were given, which `close()` waits for. */
export class EndingStreams {
  /** By the options that each sends with. */
  private readonly senders = new Set<object>()
  private onThrough: (() => void) | undefined
  private isWaiting = false

  constructor(private readonly clock: Clock) {}

  /** Nothing more comes to a stream than what it has. */
  add(sender: object): void {
    this.senders.add(sender)
  }

  /** A stream is through with what it was given, or has failed. */
  remove(sender: object): void {
    this.senders.delete(sender)
    if (this.senders.size === 0) this.onThrough?.()
  }

  get isEmpty(): boolean {
    return this.senders.size === 0
  }

  /** Whether messages of a producer that closes are those of such a stream, and still waited for. */
  maySend(sender: object | undefined): boolean {
    return this.isWaiting && sender !== undefined && this.senders.has(sender)
  }

  /** Resolves when all are through, or the time is over; nothing more is taken of them then. */
  async through(timeoutMs: number): Promise<void> {
    let timer: Timer | undefined
    this.isWaiting = true
    await new Promise<void>((resolve) => {
      this.onThrough = resolve
      timer = this.clock.setTimeout(resolve, timeoutMs)
    })
    this.clock.clearTimeout(timer)
    this.isWaiting = false
  }
}
