import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.js'
import type { Coordination, Question } from '../../../../src/producer/transactions/coordinator.js'
import { GroupOffsets } from '../../../../src/producer/transactions/group-offsets.js'
import { TransactionRequests } from '../../../../src/producer/transactions/transaction-requests.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'

/** What a coordinator says of one partition, one after the other. */
const TWICE = [
  [0, 53],
  [53, 0],
  [14, 53],
  [53, 14],
] as const

/** Requests of a transaction to coordinators that answer so, whatever is asked. */
function answeredBy(answer: unknown): TransactionRequests {
  const coordinator: Coordination = {
    clusterId: null,
    lastFailure: undefined,
    stage: undefined,
    settled: () => Promise.resolve(),
    versions: () => Promise.reject(new Error('not asked')),
    ask: <Request, Answer>({ errorOf }: Question<Request, Answer>) => {
      errorOf(answer as Answer)
      return Promise.resolve(answer as Answer)
    },
  }
  return new TransactionRequests({
    transactionalId: 'id',
    transactionTimeoutMs: 1_000,
    stepTimeoutMs: 1_000,
    clock: systemClock,
    coordinator,
    groupCoordinator: () => coordinator,
    needed: { retain: () => undefined, release: () => undefined },
    warn: () => undefined,
  })
}

describe('a partition that an answer tells of twice is refused where one of them is a refusal', () => {
  it.each(TWICE)('AddPartitionsToTxn: %i and %i', async (...codes) => {
    const resultsByPartition = codes.map((partitionErrorCode) => ({ partitionIndex: 0, partitionErrorCode }))
    const topicResults = resultsByPartition.map((one) => ({ name: 'orders', resultsByPartition: [one] }))
    const requests = answeredBy({ throttleTimeMs: 0, errorCode: 0, resultsByTransaction: [{ topicResults }] })
    const identity = { producerId: 7n, epoch: 0, transactional: true, clusterId: null }
    const asked = [{ name: 'orders', partitions: [0] }]
    expect(await requests.addPartitions(identity, asked, undefined, () => undefined)).toBe(53)
  })

  it.each(TWICE)('TxnOffsetCommit: %i and %i', (...codes) => {
    const offsets = new GroupOffsets({ groupId: 'readers' }, [{ topic: 'in', partition: 0, offset: 5n }])
    const partitions = codes.map((errorCode) => ({ partitionIndex: 0, errorCode }))
    const topics = partitions.map((one) => ({ name: 'in', topicId: ZERO_UUID, partitions: [one] }))
    expect(offsets.settle({ throttleTimeMs: 0, topics })).toBe(53)
    expect(offsets.isDone).toBe(false)
  })
})
