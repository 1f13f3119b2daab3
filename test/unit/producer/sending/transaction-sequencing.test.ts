import { describe, expect, it, vi } from 'vitest'
import { UnsupportedVersionError } from '../../../../src/errors.js'
import type { BrokerSession } from '../../../../src/network/session/session.js'
import type { PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import { TransactionSequencing } from '../../../../src/producer/sending/transaction-sequencing.js'
import {
  TransactionAbortedError,
  type TransactionError,
} from '../../../../src/producer/transactions/transaction-errors.js'
import type { TransactionGate } from '../../../../src/producer/transactions/transaction-manager.js'
import type { GivenIdentity } from '../../../../src/producer/transactions/transactional-identity.js'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const identity = (epoch: number, clusterId: string | null = 'one') => ({
  producerId: 7n,
  epoch,
  transactional: true,
  clusterId,
})

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

describe('a partition in a transaction', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const queue = { topic: 'orders', partition: 3 } as PartitionQueue

  /** A gate that the test opens. */
  function sequencing() {
    const added: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
    const gate = {
      addsBy: { stage: 'the coordinator' },
      failure: undefined as TransactionError | undefined,
      isIn: vi.fn(() => false),
      whenIn: vi.fn(() => new Promise<void>((resolve, reject) => added.push({ resolve, reject }))),
    }
    const giveUp = vi.fn()
    const enlist = vi.fn()
    const parts = { gate: gate as unknown as TransactionGate, clusterId: () => null, giveUp, enlist }
    const its = new TransactionSequencing(parts)
    return { gate, giveUp, enlist, its, added }
  }

  it.each(['is added', 'can’t be added'])('is asked for once, and looked at again when it %s', async (end) => {
    const { gate, enlist, its, added } = sequencing()
    expect([its.lets(queue), its.lets(queue)]).toEqual([false, false])
    expect(gate.whenIn.mock.calls).toEqual([['orders', 3]])
    expect(its.joiningBy(queue)).toBe(gate.addsBy)
    await turn()
    expect(enlist).not.toHaveBeenCalled()
    if (end === 'is added') added[0]?.resolve()
    else added[0]?.reject(new Error('of the test'))
    await turn()
    expect(enlist.mock.calls).toEqual([[queue]])
    expect(its.joiningBy(queue)).toBeUndefined()
    // The next transaction has it not: it is asked for anew.
    expect(its.lets(queue)).toBe(false)
    expect(gate.whenIn).toHaveBeenCalledTimes(2)
  })

  it('is written to at once where it has been added', () => {
    const { gate, enlist, its } = sequencing()
    gate.isIn.mockReturnValue(true)
    expect(its.lets(queue)).toBe(true)
    expect(gate.whenIn).not.toHaveBeenCalled()
    expect(enlist).not.toHaveBeenCalled()
  })

  it('has what waits given up in each transaction that has failed, and not again while it is at that', () => {
    const { gate, giveUp, its } = sequencing()
    for (let times = 1; times <= 2; times++) {
      const failure = new TransactionAbortedError()
      gate.failure = failure
      // Each batch that fails has the partition looked at again.
      giveUp.mockImplementation(() => expect(its.lets(queue)).toBe(false))
      expect(its.lets(queue)).toBe(false)
      expect(giveUp).toHaveBeenCalledTimes(times)
      expect(giveUp).toHaveBeenLastCalledWith(queue, failure)
    }
    gate.failure = undefined
    gate.isIn.mockReturnValue(true)
    expect(its.lets(queue)).toBe(true)
  })
})

describe('the numbers of a transaction’s batches', () => {
  const session = (version: number) =>
    ({
      connection: { address: { host: 'h', port: 1 } },
      versions: { highest: () => version },
    }) as unknown as BrokerSession

  function numbering(version: number) {
    const current: GivenIdentity | undefined = identity(1)
    const gate: Partial<Mutable<TransactionGate>> = {
      current,
      maxProduceVersion: 12,
      meetsProduce: vi.fn(),
    }
    const cluster = { id: 'one' as string | null }
    const parts = { gate: gate as TransactionGate, clusterId: () => cluster.id, giveUp: vi.fn(), enlist: vi.fn() }
    const its = new TransactionSequencing(parts)
    return { gate, cluster, parts, its, numbers: () => its.numberingFor(session(version)) }
  }

  it('are those of its identity, as long as it has that and has not failed', () => {
    const { gate, its, numbers } = numbering(9)
    const its9 = numbers()
    expect(its9.identityFor('orders')).toBe(gate.current)
    expect(its9).toMatchObject({ limit: 5, isCurrent: true })
    expect(gate.meetsProduce).toHaveBeenCalledWith(9)
    expect(its.keeps(identity(1))).toBe(false)
    expect(gate.current !== undefined && its.keeps(gate.current)).toBe(true)
    gate.failure = new TransactionAbortedError()
    expect(its9.isCurrent).toBe(false)
    gate.failure = undefined
    gate.current = identity(2)
    expect(its9.isCurrent).toBe(false)
  })

  it('allow one in flight to Kafka 0.11, and none to one that is older', () => {
    expect(numbering(3).numbers().limit).toBe(1)
    expect(numbering(2).numbers).toThrow(UnsupportedVersionError)
    const { gate, numbers } = numbering(9)
    gate.current = undefined
    expect(numbers).toThrow(UnsupportedVersionError)
  })

  it.each([
    ['one', true],
    // Brokers that don't tell are not taken for others.
    [null, true],
    ['another', false],
  ])('are of the cluster that it began in: of cluster %s a partition may be written to: %s', (id, may) => {
    const { gate, cluster, parts, its, numbers } = numbering(9)
    const queue = { topic: 'orders', partition: 3 } as PartitionQueue
    gate.isIn = () => true
    gate.fail = (cause) => (gate.failure = new TransactionAbortedError(cause))
    numbers()
    expect(its.lets(queue)).toBe(true)
    cluster.id = id
    numbers()
    expect(its.lets(queue)).toBe(may)
    expect(parts.giveUp).toHaveBeenCalledTimes(may ? 0 : 1)
    // The next one has begun there.
    gate.failure = undefined
    gate.current = identity(2, id)
    numbers()
    expect(its.lets(queue)).toBe(true)
  })
})
