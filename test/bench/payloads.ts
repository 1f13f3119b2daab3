import { readFileSync } from 'node:fs'
import { BATCH_MESSAGES, type Shape } from './job.js'
import { mulberry32 } from './random.js'

/** What a message holds besides its topic. */
export interface Payload {
  readonly value: Buffer | string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

const KEYS = 100_000
const CUSTOMERS = 5_000
/** A prime to the number of customers, so that they all come up, in no order that a partitioner could like. */
const CUSTOMER_STEP = 7_919

/** As many different ones as the shape has; senders go through them again and again. */
export function payloads(shape: Shape, bytes: number): Payload[] {
  const value = Buffer.alloc(bytes, 'x')
  switch (shape) {
    case 'value':
      return repeat(BATCH_MESSAGES, () => ({ value }))
    case 'keyed':
      return repeat(KEYS, (i) => ({ key: `key-${i}`, value }))
    case 'text':
      return realPayloads(bytes).map(({ key, value }) => ({ key, value }))
    case 'real':
      return realPayloads(bytes)
    case 'untraced':
      return realPayloads(bytes).map(({ headers, ...rest }) => ({
        ...rest,
        headers: { 'request-id': headers.traceparent, source: headers.source },
      }))
  }
}

interface RealPayload extends Payload {
  readonly key: string
  readonly headers: { readonly traceparent: string; readonly source: string }
}

/** No two of them have the same value or the same headers, so that nothing can be gained by remembering the last one's. */
function realPayloads(bytes: number): RealPayload[] {
  const random = mulberry32(20_240_607)
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')
  return repeat(CUSTOMERS, (i) => ({
    key: `customer-${(i * CUSTOMER_STEP) % CUSTOMERS}`,
    value: jsonOf(bytes, i, hex),
    headers: { traceparent: `00-${hex(32)}-${hex(16)}-01`, source: 'checkout' },
  }))
}

/** Of exactly so many bytes, all ASCII. */
function jsonOf(bytes: number, i: number, hex: (digits: number) => string): string {
  const event = { id: i, type: ['click', 'view', 'login'][i % 3], amount: (i * 131) % 10_000, token: '' }
  return JSON.stringify({ ...event, token: hex(bytes - JSON.stringify(event).length) })
}

/** The lines of a file. */
export function corpusPayloads(file: string): Payload[] {
  const bytes = readFileSync(file)
  const lines: Payload[] = []
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start)
    lines.push({ value: bytes.subarray(start, end) })
    start = end + 1
  }
  return lines
}

function repeat<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i))
}
