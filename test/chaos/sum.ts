import type { RoundResult } from './round.js'

/** What all rounds came to. */
export class Sum {
  violations = 0
  /** Faults that could not be done, or undone. */
  private failures = 0
  private readonly counts = { faults: 0, given: 0, acknowledged: 0, failed: 0, read: 0 }
  private readonly faults = new Map<string, number>()
  private readonly byKind = new Map<string, { violations: number; allowed: number }>()

  add({ lanes, findings, given, acknowledged, failed, read }: RoundResult): void {
    for (const { counts, failures } of lanes) {
      this.failures += failures
      for (const [name, count] of counts) {
        this.counts.faults += count
        this.faults.set(name, (this.faults.get(name) ?? 0) + count)
      }
    }
    this.counts.given += given
    this.counts.acknowledged += acknowledged
    this.counts.failed += failed
    this.counts.read += read
    for (const { kind, isViolation } of findings) {
      const count = this.byKind.get(kind) ?? { violations: 0, allowed: 0 }
      this.byKind.set(kind, count)
      if (isViolation) count.violations++
      else count.allowed++
      if (isViolation) this.violations++
    }
  }

  line(): string {
    const { faults, given, acknowledged, failed, read } = this.counts
    const list = (which: 'violations' | 'allowed'): string => {
      const kinds = [...this.byKind].filter(([, count]) => count[which] > 0)
      return kinds.length === 0 ? '' : ` (${kinds.map(([kind, count]) => `${count[which]} ${kind}`).join(', ')})`
    }
    const allowed = [...this.byKind.values()].reduce((total, count) => total + count.allowed, 0)
    return (
      `${faults} faults; ${given} messages given, ${acknowledged} told acknowledged, ${failed} told failed, ${read} read; ` +
      `${allowed} that Kafka allows${list('allowed')}; ${this.violations} violations${list('violations')}`
    )
  }

  byFault(): string {
    const kinds = [...this.faults].toSorted().map(([name, count]) => `${count} ${name}`)
    return `${kinds.join(', ')}; ${this.failures} did not work`
  }
}
