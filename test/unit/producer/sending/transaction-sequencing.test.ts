import { describe, expect, it, vi } from 'vitest'
import { TransactionSequencing } from '../../../../src/producer/sending/transaction-sequencing.js'
import type { TransactionGate } from '../../../../src/producer/transactions/transaction-manager.js'

const identity = (epoch: number) => ({ producerId: 7n, epoch, transactional: true })

describe('a sequence that is given up', () => {
  it.each([
    [1, 1],
    // Its abort did not wait for the answer any longer.
    [0, 0],
  ])('under epoch %i, while epoch 1 is the current one: the transaction hears of it %i times', (epoch, times) => {
    const failSequence = vi.fn()
    const gate = { current: identity(1), failSequence } as unknown as TransactionGate
    const sequencing = new TransactionSequencing({ gate, clusterId: () => null, giveUp: vi.fn(), enlist: vi.fn() })
    sequencing.leave(identity(epoch))
    expect(failSequence).toHaveBeenCalledTimes(times)
  })
})
