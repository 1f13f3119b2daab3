import type { Clock } from '../../src/clock.js'
import type { OnStats } from '../../src/index.js'
import type { ProducerStats } from '../../src/stats/producer-stats.js'
import { Violation } from './ledger.js'

/** What one producer has told of its figures. */
interface Reader {
  toldAt: number
  last: ProducerStats | undefined
}

/** What producers tell of what they count, again and again: it only ever grows, and ends with what it came to. */
export class Readings {
  private readonly readers: Reader[] = []

  constructor(
    private readonly clock: Clock,
    private readonly told: (violation: unknown) => void,
  ) {}

  newReader(): OnStats {
    const reader: Reader = { toldAt: this.clock.now(), last: undefined }
    this.readers.push(reader)
    return (stats) => {
      const { last } = reader
      reader.toldAt = this.clock.now()
      reader.last = stats
      if (last !== undefined && (stats.acknowledged < last.acknowledged || stats.failed < last.failed))
        this.wrong(`${last.acknowledged} and ${last.failed}, then ${stats.acknowledged} and ${stats.failed}`)
    }
  }

  /** Those that are open have told within so long. */
  checkTime(withinMs: number, isOpen: (index: number) => boolean): void {
    const now = this.clock.now()
    for (const [index, { toldAt }] of this.readers.entries())
      if (now - toldAt > withinMs && isOpen(index)) this.wrong(`none from ${toldAt} to ${now}`)
  }

  /** All are closed: the last reading of each is what it came to. */
  checkEnd(producers: readonly { stats(): ProducerStats }[]): void {
    for (const [index, { last }] of this.readers.entries()) {
      const { acknowledged, failed } = (producers[index] as { stats(): ProducerStats }).stats()
      if (last?.acknowledged !== acknowledged || last.failed !== failed || last.queueMessages !== 0)
        this.wrong(`${last?.acknowledged} and ${last?.failed} in the end, which are ${acknowledged} and ${failed}`)
    }
  }

  private wrong(detail: string): void {
    this.told(new Violation('figures are told as they are', detail))
  }
}
