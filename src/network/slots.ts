/** Lets so many at once do something; the others wait in line. */
export class Slots {
  private taken = 0
  /** In the order they came: whose turn it is next. */
  private readonly line = new Set<() => void>()

  constructor(private readonly size: number) {}

  /**
   * Does it when there is a slot, and gives that back when it is done, whatever comes of it.
   *
   * @throws the signal's reason, where that is aborted before it is begun
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    if (this.taken < this.size) this.taken++
    else await this.turn(signal)
    try {
      return await work()
    } finally {
      const [next] = this.line
      if (next === undefined) this.taken--
      else next()
    }
  }

  /** Resolves with the slot of somebody who is done. */
  private turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.line.delete(enter)
        signal.removeEventListener('abort', onAbort)
      }
      const enter = () => {
        leave()
        resolve()
      }
      const onAbort = () => {
        leave()
        reject(signal.reason as Error)
      }
      this.line.add(enter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
