import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { RecordMetadata } from '../../../src/index.js'

const FIELDS = { topic: 'orders', partition: 3, offset: 9007199254740993n, timestamp: 5, acknowledged: true }
const metadata = new RecordMetadata('orders', 3, 9007199254740993n, 5, true)

describe('RecordMetadata', () => {
  it('is plain data: it can be spread, cloned, sent to a worker and compared', () => {
    expect({ ...metadata }).toStrictEqual(FIELDS)
    expect(structuredClone(metadata)).toStrictEqual(FIELDS)
    expect(metadata).toEqual(FIELDS)
    expect(Object.keys(metadata)).toEqual(Object.keys(FIELDS))
    const { port1, port2 } = new MessageChannel()
    port1.postMessage(metadata)
    port1.close()
    port2.close()
  })

  it('is JSON with the offset as a string, beyond what a number holds', () => {
    expect(JSON.stringify({ metadata })).toBe(
      '{"metadata":{"topic":"orders","partition":3,"offset":"9007199254740993","timestamp":5,"acknowledged":true}}',
    )
  })

  it('shows its fields in a log', () => {
    expect(inspect(metadata, { breakLength: Infinity })).toBe(
      "RecordMetadata { topic: 'orders', partition: 3, offset: 9007199254740993n, timestamp: 5, acknowledged: true }",
    )
  })
})
