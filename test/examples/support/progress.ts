const WIDTH = 32
const REDRAW_MS = 50

/** A bar that redraws itself on a terminal, and a line for each tenth elsewhere. */
export class Progress {
  private drawnAt = 0
  private tenth = 0
  private readonly isTerminal: boolean

  constructor(
    private readonly label: string,
    private readonly total: number,
    private readonly out: NodeJS.WriteStream = process.stdout,
  ) {
    this.isTerminal = out.isTTY === true
  }

  update(done: number): void {
    const share = this.total === 0 ? 1 : done / this.total
    if (this.isTerminal) {
      if (done < this.total && performance.now() - this.drawnAt < REDRAW_MS) return
      this.drawnAt = performance.now()
      const filled = Math.round(share * WIDTH)
      this.out.write(
        `\r\x1b[K${this.text(done)} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}${done === this.total ? '\n' : ''}`,
      )
    } else if (Math.floor(share * 10) > this.tenth) {
      this.tenth = Math.floor(share * 10)
      this.out.write(`${this.text(done)}\n`)
    }
  }

  /** A line above the bar. */
  note(text: string): void {
    this.out.write(`${this.isTerminal ? '\r\x1b[K' : ''}${text}\n`)
    this.drawnAt = 0
  }

  private text(done: number): string {
    const percent = Math.floor((100 * done) / Math.max(1, this.total))
    return `${this.label} ${String(percent).padStart(3)} %  ${done.toLocaleString('en')} of ${this.total.toLocaleString('en')}`
  }
}
