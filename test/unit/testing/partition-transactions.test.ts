import { describe, expect, it } from 'vitest'
import { PartitionTransactions } from '../../../src/testing/transactions/partition-transactions.js'

const PRODUCER = 7n

/** Of each aborted one: a message, and the marker that ends it. The log keeps as many offsets as said. */
function aborted(count: number, kept: number): PartitionTransactions {
  const transactions = new PartitionTransactions()
  for (let offset = 0; offset < count * 2; offset += 2) {
    transactions.wrote(PRODUCER, offset)
    transactions.ended(PRODUCER, false, offset + 1, Math.max(0, offset + 2 - kept))
  }
  return transactions
}

describe('the transactions of a partition', () => {
  it('forget what was aborted with the messages that retention takes', () => {
    const transactions = aborted(1_000, 20)
    expect(transactions.abortedBetween(0, Infinity).length).toBeLessThanOrEqual(20)
    expect(transactions.abortedBetween(1_980, Infinity)).toHaveLength(10)
  })
})
