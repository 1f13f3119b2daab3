import type { CommittedOffset, StoredRecord } from '../../src/testing/index.js'
import { idOf, Violation, type Ledger } from './ledger.js'
import type { TransactionEnd } from './scenario.js'

export interface TransactionRecord {
  readonly id: number
  /** How its program means it to end. */
  readonly end: TransactionEnd
  /** Which producer's it is. */
  readonly by: number
  /** Messages that were given in it before its end. */
  readonly messages: number[]
  /** Messages that were given after its end. */
  readonly late: number[]
  /** How far its group has read, as it said: by partition. */
  readonly offsets: Map<number, number>
  outcome: 'open' | 'committed' | 'aborted' | 'unknown'
  /** Why it was aborted, or is unknown. */
  code: string | undefined
}

/** What became of each transaction, as it was told, and the rules that readers of committed messages rely on. */
export class TransactionLedger {
  readonly all: TransactionRecord[] = []

  constructor(
    private readonly ledger: Ledger,
    private readonly trace: (what: string) => void,
  ) {}

  given(id: number, by: number, end: TransactionEnd): TransactionRecord {
    const record: TransactionRecord = {
      id,
      end,
      by,
      messages: [],
      late: [],
      offsets: new Map(),
      outcome: 'open',
      code: undefined,
    }
    this.all.push(record)
    return record
  }

  tell(record: TransactionRecord, outcome: 'committed' | 'aborted' | 'unknown', code?: string): void {
    this.trace(`transaction ${record.id} ${outcome} ${code ?? ''}`)
    if (record.outcome !== 'open')
      throw new Violation('one outcome', `transaction ${record.id} was ${record.outcome}, then ${outcome}`)
    record.outcome = outcome
    record.code = code
  }

  /** What readers of committed messages see at the end, against what was told; undefined: nobody knows how far groups are. */
  check(records: readonly StoredRecord[], offsets: readonly CommittedOffset[] | undefined): void {
    const seen = new Map<number, number>()
    for (const record of records) seen.set(idOf(record), (seen.get(idOf(record)) ?? 0) + 1)
    for (const record of this.all) this.checkOne(record, seen)
    if (offsets === undefined) return
    for (const partition of new Set(this.all.flatMap((record) => [...record.offsets.keys()])))
      this.checkOffsets(partition, offsets.find((offset) => offset.partition === partition)?.offset, seen)
  }

  /** Where nothing goes wrong whatever is committed is. */
  checkPeace(): void {
    for (const { id, end, outcome, code } of this.all)
      if (end.startsWith('commit') && outcome !== 'committed')
        throw new Violation('no fault, no abort', `transaction ${id}, ${outcome} with ${code}`)
  }

  private checkOne({ id, messages, late, outcome, code }: TransactionRecord, seen: ReadonlyMap<number, number>): void {
    const there = messages.filter((message) => seen.has(message))
    const twice = messages.find((message) => (seen.get(message) ?? 0) > 1)
    const told = `transaction ${id}, ${outcome}${code === undefined ? '' : ` with ${code}`}`
    if (outcome === 'open') throw new Violation('one outcome', `${told} at the end`)
    if (twice !== undefined) throw new Violation('in a transaction never twice', `${twice} of ${told}`)
    const early = late.find((message) => seen.has(message))
    if (early !== undefined) throw new Violation('what has ended takes nothing', `${early} of ${told}`)
    if (outcome === 'aborted' && there.length > 0)
      throw new Violation('what was aborted is not seen', `${there.join(', ')} of ${told}`)
    if (outcome === 'committed') {
      const failed = messages.find((message) => this.ledger.entries.get(message)?.fate?.kind !== 'acknowledged')
      if (failed !== undefined) throw new Violation('what is committed was acknowledged', `${failed} of ${told}`)
      const missing = messages.find((message) => !seen.has(message))
      if (missing !== undefined) throw new Violation('what is committed is seen', `${missing} of ${told}`)
    }
    if (there.length > 0 && there.length < messages.length)
      throw new Violation('whole or absent', `${there.length} of ${messages.length} messages of ${told}`)
  }

  /** The group has come as far as the last transaction said that was committed, and no aborted one counts. */
  private checkOffsets(partition: number, stored: bigint | undefined, seen: ReadonlyMap<number, number>): void {
    const committed = stored === undefined ? undefined : Number(stored)
    const withOffset = this.all.filter(({ offsets }) => offsets.has(partition))
    const last = withOffset
      .filter(({ outcome }) => outcome === 'committed')
      .map(({ offsets }) => offsets.get(partition) as number)
    const least = last.length === 0 ? undefined : Math.max(...last)
    if (least !== undefined && (committed === undefined || committed < least))
      throw new Violation('offsets of what is committed', `are ${committed ?? 'none'}, and ${least} was`)
    if (committed === undefined || committed === least) return
    const whose = withOffset.find(({ offsets }) => offsets.get(partition) === committed)
    if (whose === undefined) throw new Violation('offsets that were given', `are ${committed}`)
    if (whose.outcome !== 'unknown')
      throw new Violation(
        'offsets of what is committed',
        `are ${committed} of transaction ${whose.id}, ${whose.outcome}`,
      )
    if (!whose.messages.every((message) => seen.has(message)))
      throw new Violation('whole or absent', `offsets of transaction ${whose.id}, and not its messages`)
  }
}
