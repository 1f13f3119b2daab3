import type { AnyProducerOptions } from './producer-options.js'

export type Options = { -readonly [Name in keyof AnyProducerOptions]: AnyProducerOptions[Name] }

/** The fields of TLS that a file can give, each with the property that gave it. */
export type FileTls = Partial<
  Record<'ca' | 'cert' | 'key' | 'passphrase', { readonly text: string; readonly from: string }>
>

/** What a file says of transactions. */
export interface TransactionProperties {
  transactionalId?: string
  transactionTimeoutMs?: number
}

/** A properties file while it is being read: what it comes to, and all of it. */
export interface Reading {
  readonly options: Options
  /** Without blanks at the ends of values. */
  readonly properties: ReadonlyMap<string, string>
  readonly notes: string[]
  /** What the program gives besides the file, and goes before it. */
  readonly given: Partial<AnyProducerOptions>
  readonly tls: FileTls
  /** Undefined where it is read for a producer that has none. */
  readonly transactions: TransactionProperties | undefined
}

/** What becomes of a property; throws where it is refused. */
export type Row = (value: string, reading: Reading, name: string) => void

export type Rows = Readonly<Record<string, Row>>

/** Has no effect here, for that reason. */
export function noted(reason: string): Row {
  return (_value, { notes }, name) => {
    notes.push(`${name}: ${reason}`)
  }
}
