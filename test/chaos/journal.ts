/**
 * What callers were told, as each producer's process writes it down: one line for each event, fields with spaces between.
 * Times are milliseconds since 1970.
 */
import { closeSync, openSync, writeSync } from 'node:fs'

export type Outcome = 'committed' | 'aborted' | 'unknown'

/** What is read from a journal, in the order written. */
export interface JournalReader {
  /** Messages were given to one `send()`; in a transaction, or in none (0). */
  given(at: number, topic: string, first: number, count: number, transaction: number): void
  acknowledged(at: number, sequence: number, partition: number, offset: number): void
  failed(at: number, sequence: number, mayHaveBeenWritten: boolean, code: string): void
  /** A transaction ended; what is told of its messages before is not final. */
  ended(at: number, transaction: number, outcome: Outcome, code: string): void
  /** Something happened that must not. */
  broke(at: number, what: string): void
  /** The producer's process is through with everything. */
  finished(at: number): void
}

const FLUSH_BYTES = 32 << 10
const FLUSH_MS = 200

export class JournalWriter implements JournalReader {
  private readonly file: number
  private text = ''

  constructor(path: string) {
    this.file = openSync(path, 'a')
    setInterval(() => this.flush(), FLUSH_MS).unref()
  }

  given(at: number, topic: string, first: number, count: number, transaction: number): void {
    this.line(`G ${at} ${topic} ${first} ${count} ${transaction}`)
    // What is sent must be known as given, even if the process ends now.
    this.flush()
  }

  acknowledged(at: number, sequence: number, partition: number, offset: number): void {
    this.line(`A ${at} ${sequence} ${partition} ${offset}`)
  }

  failed(at: number, sequence: number, mayHaveBeenWritten: boolean, code: string): void {
    this.line(`F ${at} ${sequence} ${mayHaveBeenWritten ? 1 : 0} ${code}`)
  }

  ended(at: number, transaction: number, outcome: Outcome, code: string): void {
    this.line(`T ${at} ${transaction} ${outcome} ${code}`)
  }

  broke(at: number, what: string): void {
    this.line(`X ${at} ${what.replaceAll('\n', ' ')}`)
  }

  finished(at: number): void {
    this.line(`E ${at}`)
  }

  /** For people, who want to know what happened to a message on its way. */
  remark(at: number, what: string): void {
    this.line(`# ${at} ${what.replaceAll('\n', ' ')}`)
  }

  close(): void {
    this.flush()
    closeSync(this.file)
  }

  flush(): void {
    if (this.text !== '') writeSync(this.file, this.text)
    this.text = ''
  }

  private line(text: string): void {
    this.text += `${text}\n`
    if (this.text.length > FLUSH_BYTES) this.flush()
  }
}

/** @throws Error for a line that no journal has */
export function readLine(line: string, reader: JournalReader): void {
  const [kind, time, ...rest] = line.split(' ')
  const at = Number(time)
  const number = (index: number): number => Number(rest[index])
  const text = (index: number): string => rest[index] ?? ''
  switch (kind) {
    case '#':
      return
    case 'G':
      return reader.given(at, text(0), number(1), number(2), number(3))
    case 'A':
      return reader.acknowledged(at, number(0), number(1), number(2))
    case 'F':
      return reader.failed(at, number(0), text(1) === '1', text(2))
    case 'T':
      return reader.ended(at, number(0), text(1) as Outcome, text(2))
    case 'X':
      return reader.broke(at, rest.join(' '))
    case 'E':
      return reader.finished(at)
    default:
      throw new Error(`No line of a journal: ${line}`)
  }
}
