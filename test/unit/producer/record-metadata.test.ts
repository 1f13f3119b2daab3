import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { RecordMetadata } from '../../../src/index.js'

const batch = {
  topic: 'orders',
  partition: 3,
  baseOffset: 2n ** 53n,
  baseTimestamp: 3,
  logAppendTime: -1,
  hasTimestamps: true,
  acknowledged: true,
}

describe('RecordMetadata', () => {
  it('counts offsets from that of the batch, beyond what a number holds', () => {
    expect(new RecordMetadata(batch, 1, 2).offset).toBe(9007199254740993n)
    expect(new RecordMetadata(batch, 0, 2).offset).toBe(9007199254740992n)
  })

  it('has no offset where the broker told none', () => {
    expect(new RecordMetadata({ ...batch, baseOffset: -1n, acknowledged: false }, 7, 2)).toMatchObject({
      offset: -1n,
      acknowledged: false,
    })
  })

  it("has the broker's time where it stores that, else the message's own", () => {
    expect(new RecordMetadata({ ...batch, logAppendTime: 99 }, 0, 2).timestamp).toBe(99)
    expect(new RecordMetadata({ ...batch, logAppendTime: 0 }, 0, 2).timestamp).toBe(0)
    expect(new RecordMetadata(batch, 0, 2).timestamp).toBe(5)
    expect(new RecordMetadata({ ...batch, hasTimestamps: false }, 0, 2).timestamp).toBe(-1)
  })

  it('is JSON with the offset as a string, and plain in a log', () => {
    const metadata = new RecordMetadata(batch, 1, 2)
    expect(JSON.stringify({ metadata })).toBe(
      '{"metadata":{"topic":"orders","partition":3,"offset":"9007199254740993","timestamp":5,"acknowledged":true}}',
    )
    expect(inspect(metadata, { breakLength: Infinity })).toBe(
      "{ topic: 'orders', partition: 3, offset: 9007199254740993n, timestamp: 5, acknowledged: true }",
    )
  })
})
