/** The newest of what has come, as many as said: a cluster may run for days. */
export class Newest<T> {
  private entries: T[] = []

  constructor(private readonly limit: number) {}

  add(entry: T): void {
    if (this.entries.length >= this.limit * 2) this.entries = this.all()
    this.entries.push(entry)
  }

  /** Oldest first. */
  all(): T[] {
    return this.entries.slice(-this.limit)
  }

  clear(): void {
    this.entries = []
  }
}
