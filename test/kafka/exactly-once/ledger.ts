/** What was sent under each key and acknowledged, and what of it was read back. */

/** Each key's messages are numbered in the order of the calls of `send()`. */
export interface Numbered {
  readonly key: string
  readonly number: number
}

export interface Place {
  readonly partition: number
  readonly offset: number
}

/** A key's messages; the index is the number. */
interface Messages {
  /** Undefined before they are told; -1 where they failed and may have been written, -2 where they were not. */
  readonly told: (number | undefined)[]
  readonly copies: number[]
  last: number
}

const MAYBE = -1
const NOT_WRITTEN = -2
/** What a broker says of a batch that it has already and remembers no more. */
const OFFSET_UNKNOWN = -1
const SHOWN = 20

export class Ledger {
  readonly counts = { given: 0, acknowledged: 0, failed: 0, read: 0 }
  private readonly keys = new Map<string, Messages>()
  private readonly found: string[] = []
  private foundMore = 0

  give(key: string): Numbered {
    const messages = this.keys.get(key) ?? { told: [], copies: [], last: -1 }
    this.keys.set(key, messages)
    messages.copies.push(0)
    messages.told.push(undefined)
    this.counts.given++
    return { key, number: messages.told.length - 1 }
  }

  acknowledged({ key, number }: Numbered, offset: bigint): void {
    this.counts.acknowledged++
    this.tell(key, number, Number(offset) === OFFSET_UNKNOWN ? Number.MAX_SAFE_INTEGER : Number(offset))
  }

  failed({ key, number }: Numbered, error: { mayHaveBeenWritten: boolean; message: string }): void {
    this.counts.failed++
    this.report(`failed: ${key} ${number}: ${error.message}`)
    this.tell(key, number, error.mayHaveBeenWritten ? MAYBE : NOT_WRITTEN)
  }

  /** In the order of offsets in each partition. */
  read({ key, number }: Numbered, { partition, offset }: Place): void {
    this.counts.read++
    const messages = this.keys.get(key)
    const told = messages?.told[number]
    const at = `${key} ${number} at partition ${partition} offset ${offset}`
    if (messages === undefined || told === undefined) return this.report(`nobody sent it: ${at}`)
    const copies = (messages.copies[number] ?? 0) + 1
    messages.copies[number] = copies
    if (copies > 1) return this.report(`there ${copies} times: ${at}`)
    if (told === NOT_WRITTEN) this.report(`told not to be written, and there: ${at}`)
    if (told >= 0 && told !== offset && told !== Number.MAX_SAFE_INTEGER)
      this.report(`acknowledged with offset ${told}: ${at}`)
    if (number < messages.last) this.report(`behind ${messages.last}: ${at}`)
    messages.last = Math.max(messages.last, number)
  }

  /** What is not as it must be, when all has been read; of what is found often only the first. */
  findings(): string[] {
    for (const [key, { told, copies }] of this.keys)
      for (const [number, offset] of told.entries())
        if (offset === undefined) this.report(`nobody was told: ${key} ${number}`)
        else if (offset >= 0 && copies[number] === 0) this.report(`lost: ${key} ${number}, acknowledged at ${offset}`)
    return this.foundMore === 0 ? this.found : [...this.found, `and ${this.foundMore} more`]
  }

  private tell(key: string, number: number, offset: number): void {
    const { told } = this.keys.get(key) as Messages
    if (told[number] !== undefined) this.report(`told twice: ${key} ${number}`)
    told[number] = offset
  }

  private report(what: string): void {
    if (this.found.length < SHOWN) this.found.push(what)
    else this.foundMore++
  }
}
