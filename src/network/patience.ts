/**
 * How long whoever is asked may take, where it is to be short: another may do better. It is twice as long after each time in
 * vain, or one that is only slow would never be heard.
 */
export class Patience {
  private inVain = 0

  constructor(private readonly firstMs: number) {}

  get ms(): number {
    return this.firstMs * 2 ** this.inVain
  }

  /** Nothing came in time. */
  lost(): void {
    this.inVain++
  }

  /** An answer came after so long. */
  answered(afterMs: number): void {
    if (afterMs < this.firstMs) this.inVain = 0
  }
}
