import { readFileSync } from 'node:fs'
import { BATCH_MESSAGES, type Shape } from './job.js'

/** What a message holds besides its topic. */
export interface Payload {
  readonly value: Buffer | string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

const KEYS = 100_000
const HEADERS = { source: 'benchmark', 'content-type': 'text/plain' }

/** As many different ones as the shape has; senders go through them again and again. */
export function payloads(shape: Shape, bytes: number): Payload[] {
  const value = Buffer.alloc(bytes, 'x')
  switch (shape) {
    case 'value':
      return repeat(BATCH_MESSAGES, () => ({ value }))
    case 'keyed':
      return repeat(KEYS, (i) => ({ key: `key-${i}`, value }))
    case 'full':
      return repeat(BATCH_MESSAGES, (i) => ({ key: `key-${i}`, value: value.toString(), headers: HEADERS }))
  }
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

function repeat(count: number, make: (i: number) => Payload): Payload[] {
  return Array.from({ length: count }, (_, i) => make(i))
}
