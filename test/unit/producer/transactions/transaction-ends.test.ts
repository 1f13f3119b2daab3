import { describe, expect, it } from 'vitest'
import { DeliveryTimeoutError } from '../../../../src/errors.js'
import {
  OutcomeUnknownError,
  ProducerFencedError,
  ProducerUnusableError,
  TransactionAbortedError,
} from '../../../../src/producer/transactions/transaction-errors.js'
import { ElsewhereError } from '../../../../src/producer/transactions/transactional-identity.js'
import { produce } from '../../../../src/protocol/apis/produce.js'
import { brokerResponseError } from '../../../../src/protocol/error-codes.js'
import { turns } from '../../../embedded/support/producers.js'
import { FakeCoordinators } from './support.js'

const FENCED = 90
const FORGOTTEN = 49
const WRONG_STATE = 48

const forever = () => new AbortController().signal

describe('a transaction', () => {
  it('of part two goes on with what was written, and with nothing else, once it is to be aborted', async () => {
    const manager = await new FakeCoordinators({ transactionVersion: 2 }).begun()
    expect(manager.isIn('a', 0)).toBe(true)
    manager.fail(new DeliveryTimeoutError('late'))
    expect([manager.isIn('a', 0), manager.isIn('a', 1)]).toEqual([true, false])
  })

  it('of part two has its partitions added where a leader is older, those that were written to as well', async () => {
    const kafka = new FakeCoordinators({ transactionVersion: 2 })
    const manager = await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(true)
    manager.meetsProduce(12)
    expect([manager.isIn('a', 0), manager.maxProduceVersion]).toEqual([true, produce.maxVersion])
    manager.meetsProduce(11)
    expect([manager.isIn('a', 0), manager.maxProduceVersion]).toEqual([false, 11])
    await manager.whenIn('a', 0)
    manager.meetsProduce(11)
    expect(manager.isIn('a', 0)).toBe(true)
    expect(kafka.asked).toEqual(['AddPartitionsToTxn a-0 7/0'])
  })

  it('leaders that were shown the epoch after what may come late are not shown those after that', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    manager.failSequence(new DeliveryTimeoutError('late'))
    kafka.asked.length = 0
    await manager.abort()
    const shown = ['InitProducerId 7/0', 'AddPartitionsToTxn a-0 7/1', 'EndTxn abort 7/1']
    expect(kafka.asked).toEqual(['drained', 'EndTxn abort 7/0', ...shown])
    manager.failSequence(new DeliveryTimeoutError('late'))
    kafka.asked.length = 0
    await manager.begin(forever())
    expect(kafka.asked).toEqual(['InitProducerId 7/1'])
    // Nor is the doubt of one transaction that of the next.
    await manager.whenIn('a', 0)
    await manager.commit()
    kafka.asked.length = 0
    await manager.begin(forever())
    expect(kafka.asked).toEqual([])
  })

  it('of which something is in another cluster is aborted where that is found, and goes on under no other identity', async () => {
    const kafka = new FakeCoordinators({ answers: { AddPartitionsToTxn: [0, new ElsewhereError()] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.whenIn('b', 0)).rejects.toBeInstanceOf(TransactionAbortedError)
    expect(kafka.asked).toEqual(['AddPartitionsToTxn a-0 7/0', 'AddPartitionsToTxn b-0 7/0'])
  })

  it('whose id the coordinator has forgotten ends its producer before Kafka 2.5, which gives no other in its place', async () => {
    const kafka = new FakeCoordinators({ initVersion: 2, answers: { AddPartitionsToTxn: [FORGOTTEN] } })
    const manager = await kafka.begun()
    await expect(manager.whenIn('a', 0)).rejects.toBeInstanceOf(ProducerUnusableError)
    expect(kafka.asked).toEqual(['AddPartitionsToTxn a-0 7/0'])
  })

  it('whose commit had no answer and then finds another cluster: nobody knows', async () => {
    const kafka = new FakeCoordinators({ unanswered: ['EndTxn'], answers: { EndTxn: [new ElsewhereError()] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.commit()).rejects.toBeInstanceOf(OutcomeUnknownError)
  })

  it('of which the coordinator has not heard is aborted all the same, and the next one has another epoch', async () => {
    const kafka = new FakeCoordinators({ transactionVersion: 2, answers: { EndTxn: [WRONG_STATE] } })
    const manager = await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(true)
    await manager.abort()
    expect(kafka.asked).toEqual(['drained', 'EndTxn abort 7/0', 'InitProducerId 7/0'])
  })

  it('of which the coordinator may not have heard is fenced all the same', async () => {
    const kafka = new FakeCoordinators({ transactionVersion: 2, answers: { EndTxn: [FENCED] } })
    const manager = await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(true)
    await expect(manager.abort()).rejects.toBeInstanceOf(ProducerFencedError)
  })

  it('whose producer is fenced waits for no answer, and what is not written is taken out', async () => {
    let asked = (): void => undefined
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    kafka.script.onAsked = () => {
      asked()
      return new Promise<void>(() => undefined)
    }
    const added = manager.whenIn('a', 0)
    await isAsked
    manager.fail(brokerResponseError(FENCED, 'Produce'), 'fenced')
    const seen = await Promise.race([added.catch((error: unknown) => error), turns(5)])
    expect(seen).toBeInstanceOf(ProducerFencedError)
    expect(kafka.takenOut).toEqual([seen])
  })

  it.each([
    ['is in another state', {}, WRONG_STATE],
    ['is forgotten, where no other id is given', { initVersion: 2 }, FORGOTTEN],
  ])('that was begun and %s when it is aborted ends its producer', async (_, script, code) => {
    const kafka = new FakeCoordinators({ ...script, answers: { EndTxn: [code] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.abort()).rejects.toBeInstanceOf(ProducerUnusableError)
  })
})
