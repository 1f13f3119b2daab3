/** All that one producer's journal says, by message. */
import type { JournalReader, Outcome } from '../journal.js'

export interface Fate {
  readonly at: number
  /** Where it stands, as its caller was told. */
  readonly partition?: number
  /** -1 where the broker did not tell. */
  readonly offset?: number
  /** Of one that failed. */
  readonly mayHaveBeenWritten?: boolean
  readonly code?: string
}

export interface ToldMessage {
  readonly sequence: number
  readonly topic: string
  readonly givenAt: number
  /** 0 for none. */
  readonly transaction: number
  fate: Fate | undefined
  /** How often its caller was told; once is right. */
  timesTold: number
}

export class Told implements JournalReader {
  readonly messages: ToldMessage[] = []
  readonly transactions = new Map<number, { readonly at: number; readonly outcome: Outcome; readonly code: string }>()
  readonly broken: { readonly at: number; readonly what: string }[] = []
  hasFinished = false

  given(at: number, topic: string, first: number, count: number, transaction: number): void {
    for (let sequence = first; sequence < first + count; sequence++)
      this.messages[sequence] = { sequence, topic, givenAt: at, transaction, fate: undefined, timesTold: 0 }
  }

  acknowledged(at: number, sequence: number, partition: number, offset: number): void {
    this.tell(sequence, { at, partition, offset })
  }

  failed(at: number, sequence: number, mayHaveBeenWritten: boolean, code: string): void {
    this.tell(sequence, { at, mayHaveBeenWritten, code })
  }

  ended(at: number, transaction: number, outcome: Outcome, code: string): void {
    this.transactions.set(transaction, { at, outcome, code })
  }

  broke(at: number, what: string): void {
    this.broken.push({ at, what })
  }

  finished(): void {
    this.hasFinished = true
  }

  private tell(sequence: number, fate: Fate): void {
    const message = this.messages[sequence]
    if (message === undefined) return this.broke(fate.at, `message ${sequence} has a fate, and was never given`)
    message.fate ??= fate
    message.timesTold++
  }
}
