/** Who wants a transaction of a producer, which has one at a time: each waits for its turn. */
export class TransactionLine {
  private isTaken = false
  private readonly waiting: { enter: () => void; refuse: (cause: Error) => void }[] = []
  private closedBy: Error | undefined

  /** Resolves when it is the caller's turn, until {@link leave}; rejects with what the line was closed for. */
  enter(): Promise<void> {
    if (this.closedBy !== undefined) return Promise.reject(this.closedBy)
    if (this.isTaken) return new Promise((enter, refuse) => this.waiting.push({ enter, refuse }))
    this.isTaken = true
    return Promise.resolve()
  }

  /** Whether somebody waits for the one whose turn it is. */
  get isWaitedFor(): boolean {
    return this.waiting.length > 0
  }

  leave(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.isTaken = false
    else next.enter()
  }

  /** Nobody enters any more. */
  close(cause: Error): void {
    this.closedBy = cause
    for (const { refuse } of this.waiting.splice(0)) refuse(cause)
  }
}
