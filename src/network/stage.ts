/** What somebody is at, and since when: for whoever has to say later why it took so long. */
export class Stage {
  private what = 'not begun'
  private since = performance.now()
  private followed: Stage | undefined

  /** Something new begins: `'connecting to kafka-1:9092'`. */
  enter(what: string): void {
    this.what = what
    this.since = performance.now()
    this.followed = undefined
  }

  /** It is what somebody else is at that this one waits for. */
  follow(other: Stage): void {
    this.followed = other
  }

  /** `'connecting to kafka-1:9092 for 3000 ms'`. */
  toString(): string {
    if (this.followed !== undefined) return this.followed.toString()
    return `${this.what} for ${Math.round(performance.now() - this.since)} ms`
  }
}
