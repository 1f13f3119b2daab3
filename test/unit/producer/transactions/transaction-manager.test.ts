import { describe, expect, it } from 'vitest'
import {
  ConnectionClosedError,
  DeliveryTimeoutError,
  UnsupportedVersionError,
  type KafkaProducerError,
} from '../../../../src/errors.js'
import { GroupOffsets } from '../../../../src/producer/transactions/group-offsets.js'
import {
  OutcomeUnknownError,
  ProducerFencedError,
  ProducerUnusableError,
  TransactionAbortedError,
} from '../../../../src/producer/transactions/transaction-errors.js'
import { brokerResponseError } from '../../../../src/protocol/error-codes.js'
import { FakeCoordinators } from './support.js'

const FENCED = 90
const OLD_EPOCH = 47
const FORGOTTEN = 49
const NOT_ALLOWED = 53
const ABORTABLE = 120
const WRONG_STATE = 48
const UNKNOWN = -1
/** What is wrong with offsets, or with who commits them: a group that goes on without this member is no end of the producer. */
const OF_OFFSETS = [12, 22, 24, 25, 27, 28, 69, 82, 110, 113, ABORTABLE]
/** Of the cluster's permissions, of what brokers have no place for, and of a transaction's time. */
const OF_CONFIGURATION = [31, 35, 42, 43, 50, NOT_ALLOWED]

const forever = () => new AbortController().signal
const offsets = () => new GroupOffsets({ groupId: 'readers' }, [{ topic: 'in', partition: 0, offset: 5n }])

describe('a transaction', () => {
  it('has its partitions added before they are written to, those of one turn together, each once', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(false)
    await Promise.all([manager.whenIn('a', 0), manager.whenIn('a', 1), manager.whenIn('b', 0), manager.whenIn('a', 0)])
    expect(manager.isIn('a', 0)).toBe(true)
    await manager.whenIn('a', 1)
    await manager.whenIn('b', 1)
    await manager.commit()
    expect(kafka.asked).toEqual([
      'AddPartitionsToTxn a-0 a-1 b-0 7/0',
      'AddPartitionsToTxn b-1 7/0',
      'EndTxn commit 7/0',
    ])
    expect(kafka.versions).toMatchObject({ InitProducerId: 5, AddPartitionsToTxn: 3, EndTxn: 4 })
    expect(manager.maxProduceVersion).toBe(11)
  })

  it('begins without the partitions of the one before', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.commit()
    await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(false)
    expect(manager.current).toMatchObject({ producerId: 7n, epoch: 0 })
  })

  it('begins without what the one before had not come to add', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    const refused = manager.whenIn('a', 0).catch((error: KafkaProducerError) => error.code)
    await manager.abort()
    await kafka.begun()
    await manager.whenIn('b', 0)
    expect(kafka.asked).toEqual(['AddPartitionsToTxn b-0 7/0'])
    await refused
    expect(manager.isIn('a', 0)).toBe(false)
  })

  it('of part two of KIP-890 adds nothing, and takes its next epoch from the end of the last', async () => {
    const kafka = new FakeCoordinators({ transactionVersion: 2 })
    const manager = await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(true)
    await manager.sendOffsets(offsets())
    await manager.commit()
    expect(kafka.asked).toEqual(['TxnOffsetCommit readers 7/0', 'EndTxn commit 7/0'])
    expect(kafka.versions).toMatchObject({ TxnOffsetCommit: 5, EndTxn: 5 })
    expect(manager.maxProduceVersion).toBeGreaterThanOrEqual(12)
    expect(manager.current).toMatchObject({ producerId: 7n, epoch: 1 })
  })

  it('follows a cluster that is upgraded and downgraded between transactions', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.commit()
    kafka.script.transactionVersion = 2
    await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(true)
    await manager.commit()
    kafka.script.transactionVersion = 1
    await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(false)
    expect(manager.maxProduceVersion).toBe(11)
    await manager.whenIn('a', 0)
    await manager.commit()
    expect(kafka.asked).toEqual(['AddPartitionsToTxn a-0 7/1', 'EndTxn commit 7/1'])
  })

  it.each([0, 2])('in which nothing was sent tells nobody of its end (transaction.version %i)', async (version) => {
    const kafka = new FakeCoordinators({ transactionVersion: version })
    const manager = await kafka.begun()
    await manager.commit()
    await kafka.begun()
    await manager.abort()
    expect(kafka.asked).toEqual(['drained'])
  })

  it('of offsets alone', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.sendOffsets(offsets())
    await manager.commit()
    expect(kafka.asked).toEqual(['AddOffsetsToTxn readers 7/0', 'TxnOffsetCommit readers 7/0', 'EndTxn commit 7/0'])
    expect(kafka.versions).toMatchObject({ AddOffsetsToTxn: 4, TxnOffsetCommit: 4 })
  })

  it('is aborted by its program without another epoch, after what is under way', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.abort()
    expect(kafka.asked).toEqual(['AddPartitionsToTxn a-0 7/0', 'drained', 'EndTxn abort 7/0'])
    expect(kafka.takenOut.map(({ code }) => code)).toEqual(['TRANSACTION_ABORTED'])
    expect(manager.failure).toBeUndefined()
    await kafka.begun()
  })
})

describe('what of a transaction fails', () => {
  it.each([
    [29, 'AddPartitionsToTxn'],
    [55, 'AddPartitionsToTxn'],
    [ABORTABLE, 'AddPartitionsToTxn'],
  ])('error %i to %s aborts it, and the next one has the same epoch', async (code, api) => {
    const kafka = new FakeCoordinators({ answers: { [api]: [code] } })
    const manager = await kafka.begun()
    await expect(manager.whenIn('a', 0)).rejects.toThrow(TransactionAbortedError)
    expect(kafka.takenOut).toEqual([manager.failure])
    await expect(manager.commit()).rejects.toMatchObject({
      code: 'TRANSACTION_ABORTED',
      kind: 'abortable',
      cause: { errorCode: code },
    })
    expect(kafka.asked.slice(1)).toEqual(['drained', 'EndTxn abort 7/0'])
    await kafka.begun()
    expect(manager.current).toMatchObject({ producerId: 7n, epoch: 0 })
  })

  it.each([['AddOffsetsToTxn', 30] as const, ...OF_OFFSETS.map((code) => ['TxnOffsetCommit', code] as const)])(
    '%s with error %i aborts it',
    async (api, code) => {
      const kafka = new FakeCoordinators({ answers: { [api]: [code] } })
      const manager = await kafka.begun()
      await expect(manager.sendOffsets(offsets())).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED' })
      await expect(manager.commit()).rejects.toThrow(TransactionAbortedError)
      await kafka.begun()
    },
  )

  it('what an older coordinator has no place for aborts it', async () => {
    const kafka = new FakeCoordinators({ answers: { TxnOffsetCommit: [new UnsupportedVersionError('no place')] } })
    const manager = await kafka.begun()
    await expect(manager.sendOffsets(offsets())).rejects.toThrow('no place')
    await expect(manager.commit()).rejects.toThrow(TransactionAbortedError)
  })

  it.each([
    ['AddPartitionsToTxn', FENCED],
    ['AddPartitionsToTxn', OLD_EPOCH],
    ['EndTxn', FENCED],
    ['EndTxn', OLD_EPOCH],
  ])('%s with error %i: it is fenced, and so is what it does next', async (api, code) => {
    const kafka = new FakeCoordinators({ answers: { [api]: [code] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0).catch(() => undefined)
    const error: KafkaProducerError = (await manager.commit().catch((error: KafkaProducerError) => error)) as never
    expect(error).toBeInstanceOf(ProducerFencedError)
    expect(error).toMatchObject({ code: 'PRODUCER_FENCED', kind: 'application-recoverable' })
    await expect(manager.begin(forever())).rejects.toBe(error)
    await expect(manager.abort()).rejects.toBe(error)
  })

  it.each(OF_CONFIGURATION)('error %i, as for a permission that was taken away, makes it unusable', async (code) => {
    const kafka = new FakeCoordinators({ answers: { AddPartitionsToTxn: [code] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0).catch(() => undefined)
    await expect(manager.commit()).rejects.toMatchObject({ code: 'PRODUCER_UNUSABLE', kind: 'invalid-configuration' })
  })

  it('a permission that it lacks from the start may be given later', async () => {
    const kafka = new FakeCoordinators({ answers: { InitProducerId: [NOT_ALLOWED] } })
    await expect(kafka.manager.begin(forever())).rejects.toMatchObject({ kind: 'invalid-configuration' })
    await kafka.begun()
  })

  it('what a coordinator answers the first question with for a reason of its own may be over by the next', async () => {
    const kafka = new FakeCoordinators({ answers: { InitProducerId: [UNKNOWN, ABORTABLE] } })
    await expect(kafka.manager.begin(forever())).rejects.toThrow(ProducerUnusableError)
    await expect(kafka.manager.begin(forever())).rejects.toThrow(TransactionAbortedError)
    await kafka.begun()
  })

  it.each([
    ['another producer has the next epoch', FENCED, ProducerFencedError],
    ['there is none', UNKNOWN, ProducerUnusableError],
  ])('where it needs another epoch, and %s, it goes on no more', async (_, code, expected) => {
    const kafka = new FakeCoordinators({ answers: { InitProducerId: [0, code] } })
    const manager = await kafka.begun()
    await manager.commit()
    manager.failSequence(new ConnectionClosedError('lost'))
    const error: unknown = await manager.begin(forever()).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(expected)
    await expect(manager.begin(forever())).rejects.toBe(error)
    expect(kafka.asked).toEqual(['InitProducerId 7/0'])
  })

  it('an id that the coordinator has forgotten is another one, where nothing was added yet', async () => {
    const kafka = new FakeCoordinators({ answers: { AddPartitionsToTxn: [FORGOTTEN] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.commit()
    expect(kafka.asked).toEqual([
      'AddPartitionsToTxn a-0 7/0',
      'InitProducerId 7/0',
      'AddPartitionsToTxn a-0 7/1',
      'EndTxn commit 7/1',
    ])
  })

  it('an id that is forgotten amid a transaction aborts it without asking, and the next one has another', async () => {
    const kafka = new FakeCoordinators({ answers: { AddPartitionsToTxn: [0, FORGOTTEN] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.whenIn('a', 1).catch(() => undefined)
    await expect(manager.commit()).rejects.toThrow(TransactionAbortedError)
    expect(kafka.asked.slice(2)).toEqual(['drained', 'InitProducerId 7/0'])
    await kafka.begun()
  })

  it('a batch does, before Kafka 2.5: it is aborted under the same epoch', async () => {
    const kafka = new FakeCoordinators({ initVersion: 2 })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    manager.fail(brokerResponseError(29, 'a batch'))
    await expect(manager.commit()).rejects.toThrow(TransactionAbortedError)
    expect(kafka.asked.slice(1)).toEqual(['drained', 'EndTxn abort 7/0'])
    await kafka.begun()
  })

  it('a sequence does, before Kafka 2.5: only a new producer helps, and it says so', async () => {
    const kafka = new FakeCoordinators({ initVersion: 2 })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    manager.failSequence(brokerResponseError(45, 'a batch'))
    await expect(manager.commit()).rejects.toThrow(ProducerUnusableError)
    await expect(manager.begin(forever())).rejects.toThrow(/start anew/)
  })

  it('a sequence that is lost while it is aborted has the next one have another epoch', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    const aborted = manager.abort()
    manager.failSequence(new ConnectionClosedError('lost'))
    await aborted
    expect(kafka.asked.slice(1, 4)).toEqual(['drained', 'EndTxn abort 7/0', 'InitProducerId 7/0'])
  })

  it('a doubt shows that epoch to the leaders, by a transaction without messages: they write nothing late then', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await Promise.all([manager.whenIn('a', 0), manager.whenIn('b', 3)])
    manager.failSequence(new ConnectionClosedError('lost'))
    await manager.abort()
    const shown = ['AddPartitionsToTxn a-0 b-3 7/1', 'EndTxn abort 7/1']
    expect(kafka.asked.slice(1)).toEqual(['drained', 'EndTxn abort 7/0', 'InitProducerId 7/0', ...shown])
    await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.commit()
    expect(kafka.asked).toEqual(['AddPartitionsToTxn a-0 7/1', 'EndTxn commit 7/1'])
  })

  it('a coordinator that leaves the first try of each end unanswered keeps nobody waiting', async () => {
    const kafka = new FakeCoordinators({ unanswered: ['EndTxn'] })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    manager.failSequence(new ConnectionClosedError('lost'))
    await manager.abort()
    const shown = ['AddPartitionsToTxn a-0 7/1', 'EndTxn abort 7/1']
    expect(kafka.asked.slice(3)).toEqual(['InitProducerId 7/0', ...shown, 'InitProducerId 7/1'])
  })

  it.each([
    ['is refused', NOT_ALLOWED],
    ['has no answer', new DeliveryTimeoutError('too late')],
  ])('a doubt that can’t be shown to the leaders holds up nobody: %s', async (_, answer) => {
    const kafka = new FakeCoordinators({ answers: { AddPartitionsToTxn: [0, answer], EndTxn: [0, WRONG_STATE] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    manager.failSequence(new ConnectionClosedError('lost'))
    await manager.abort()
    await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.commit()
    expect(kafka.asked.at(-1)).toBe('EndTxn commit 7/2')
  })

  it('part two of KIP-890 needs no question for another epoch', async () => {
    const kafka = new FakeCoordinators({ transactionVersion: 2 })
    const manager = await kafka.begun()
    expect(manager.isIn('a', 0)).toBe(true)
    manager.failSequence(brokerResponseError(45, 'a batch'))
    expect(manager.isIn('a', 1)).toBe(false)
    await expect(manager.commit()).rejects.toThrow(TransactionAbortedError)
    expect(kafka.asked).toEqual(['drained', 'EndTxn abort 7/0'])
    expect(manager.current).toMatchObject({ producerId: 7n, epoch: 1 })
  })
})

describe('a commit', () => {
  it('that the coordinator refuses is aborted', async () => {
    const kafka = new FakeCoordinators({ answers: { EndTxn: [ABORTABLE] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.commit()).rejects.toThrow(TransactionAbortedError)
    expect(kafka.asked.slice(1)).toEqual(['EndTxn commit 7/0', 'drained', 'EndTxn abort 7/0'])
    await kafka.begun()
  })

  it.each([new DeliveryTimeoutError('too late'), new ConnectionClosedError('closed')])(
    'that was written and not answered (%s): nobody knows',
    async (error) => {
      const kafka = new FakeCoordinators({ answers: { EndTxn: [error] } })
      const manager = await kafka.begun()
      await manager.whenIn('a', 0)
      await expect(manager.commit()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: error })
      await expect(manager.begin(forever())).rejects.toThrow(OutcomeUnknownError)
    },
  )

  it('that the broker failed at for a reason of its own: nobody knows', async () => {
    const kafka = new FakeCoordinators({ answers: { EndTxn: [UNKNOWN] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.commit()).rejects.toThrow(OutcomeUnknownError)
  })

  it.each([15, 16])(
    'whose coordinator could not write it to its log, or lost that (%i): nobody knows',
    async (code) => {
      const kafka = new FakeCoordinators({ answers: { EndTxn: [code] } })
      const manager = await kafka.begun()
      await manager.whenIn('a', 0)
      await expect(manager.commit()).rejects.toThrow(OutcomeUnknownError)
    },
  )

  it('in the wrong state is not done, and the producer unusable', async () => {
    const kafka = new FakeCoordinators({ answers: { EndTxn: [WRONG_STATE] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.commit()).rejects.toThrow(ProducerUnusableError)
  })
})

describe('an abort', () => {
  it('of what may not have come to the coordinator is none of its business', async () => {
    const kafka = new FakeCoordinators({ answers: { AddPartitionsToTxn: [29], EndTxn: [WRONG_STATE] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0).catch(() => undefined)
    await manager.abort()
    await kafka.begun()
  })

  it('that can’t be told the coordinator is left to the next begin', async () => {
    const kafka = new FakeCoordinators({ answers: { EndTxn: [new DeliveryTimeoutError('too late')] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.abort()
    kafka.asked.length = 0
    await manager.begin(forever())
    // Whoever claims the epoch of what is open fences himself; and what was written may come late.
    const shown = ['AddPartitionsToTxn a-0 7/1', 'EndTxn abort 7/1']
    expect(kafka.asked).toEqual(['EndTxn abort 7/0', 'InitProducerId 7/0', ...shown])
    expect(manager.current).toMatchObject({ producerId: 7n, epoch: 1 })
  })

  it('that can’t be told a coordinator before Kafka 2.5 needs a new producer', async () => {
    const kafka = new FakeCoordinators({ initVersion: 2, answers: { EndTxn: [new DeliveryTimeoutError('too late')] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.abort()).rejects.toThrow(ProducerUnusableError)
  })

  it('of what the coordinator has forgotten has nothing to end, and the next one has another id', async () => {
    const kafka = new FakeCoordinators({ answers: { EndTxn: [FORGOTTEN] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await manager.abort()
    expect(kafka.asked.slice(1)).toEqual(['drained', 'EndTxn abort 7/0', 'InitProducerId 7/0'])
    await kafka.begun()
    expect(manager.current).toMatchObject({ producerId: 7n, epoch: 1 })
  })

  it('is fenced as everything else', async () => {
    const kafka = new FakeCoordinators({ answers: { EndTxn: [FENCED] } })
    const manager = await kafka.begun()
    await manager.whenIn('a', 0)
    await expect(manager.abort()).rejects.toThrow(ProducerFencedError)
  })
})

describe('a sequence that is lost between transactions', () => {
  it('has the next one have another epoch', async () => {
    const kafka = new FakeCoordinators()
    const manager = await kafka.begun()
    await manager.commit()
    manager.failSequence(new ConnectionClosedError('lost'))
    await manager.begin(forever())
    expect(kafka.asked).toEqual(['InitProducerId 7/0'])
  })

  it('needs a new producer before Kafka 2.5', async () => {
    const kafka = new FakeCoordinators({ initVersion: 2 })
    const manager = await kafka.begun()
    await manager.commit()
    manager.failSequence(new ConnectionClosedError('lost'))
    await expect(manager.begin(forever())).rejects.toThrow(ProducerUnusableError)
  })
})
