import type { Clock } from '../../clock.js'

/** What takes long is no reason to keep the others waiting, up to a bound. */
export interface SlowTerms {
  readonly clock: Clock
  /** What is not done after so many milliseconds goes on without its slot, which somebody else gets. */
  readonly afterMs: number
  /** The most that are being done at once, with slots and without. */
  readonly most: number
}

/** Lets so many at once do something; the others wait in line. */
export class Slots {
  /** How many are at it, and how many of these have a slot. */
  private working = 0
  private taken = 0
  /** In the order they came: whose turn it is next. Whoever failed before comes behind all others. */
  private readonly line = new Set<() => void>()
  private readonly lineOfFailed = new Set<() => void>()

  constructor(
    private readonly size: number,
    private readonly slow?: SlowTerms,
  ) {}

  /**
   * Does it when there is a slot, and gives that back when it is done, whatever comes of it.
   *
   * @param hasFailed the last time that it was done: others are more likely to be done with soon
   * @throws the signal's reason, where that is aborted before it is begun
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, hasFailed = false): Promise<T> {
    signal.throwIfAborted()
    if (this.isFree) this.take()
    else await this.turn(signal, hasFailed ? this.lineOfFailed : this.line)
    let hasSlot = true
    const giveBack = () => {
      if (hasSlot) this.taken--
      hasSlot = false
      this.letNext()
    }
    const timer = this.slow?.clock.setTimeout(giveBack, this.slow.afterMs).unref()
    try {
      return await work()
    } finally {
      this.slow?.clock.clearTimeout(timer)
      this.working--
      giveBack()
    }
  }

  private get isFree(): boolean {
    return this.taken < this.size && this.working < (this.slow?.most ?? Infinity)
  }

  private take(): void {
    this.taken++
    this.working++
  }

  private letNext(): void {
    if (!this.isFree) return
    const [next] = this.line.size > 0 ? this.line : this.lineOfFailed
    next?.()
  }

  /** Resolves with a slot of one's own. */
  private turn(signal: AbortSignal, line: Set<() => void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        line.delete(enter)
        signal.removeEventListener('abort', onAbort)
      }
      const enter = () => {
        leave()
        this.take()
        resolve()
      }
      const onAbort = () => {
        leave()
        reject(signal.reason as Error)
      }
      line.add(enter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
