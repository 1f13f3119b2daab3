import { expect, it } from 'vitest'
import { LateRequests } from '../../../../src/producer/transactions/late-requests.js'
import type { AddPartitionsToTxnTopic } from '../../../../src/protocol/apis/add-partitions-to-txn.js'
import { ErrorCodes } from '../../../../src/protocol/error-codes.js'

const identity = (producerId: bigint) => ({ producerId, epoch: 1, transactional: true, clusterId: null })

/** @param codes what those answer who are shown the next epoch */
function lateRequests(...codes: number[]) {
  const shown: unknown[] = []
  const unanswered = { isAny: false, groups: [] as string[] }
  const late = new LateRequests({
    unanswered,
    addThoseThere: async (_: unknown, topics: readonly AddPartitionsToTxnTopic[]) => {
      shown.push(...topics)
      return codes.shift() ?? ErrorCodes.NONE
    },
    addOffsets: async (_: unknown, groupId: string) => {
      shown.push(groupId)
      return codes.shift() ?? ErrorCodes.NONE
    },
  })
  const shutOut = async (producerId: bigint) => {
    await late.shutOut(identity(producerId), undefined, () => undefined)
    return shown
  }
  const decides = (producerId: bigint) => late.shutOut(identity(producerId), undefined, () => undefined)
  return { late, unanswered, shutOut, decides }
}

it('whoever could not be shown the next epoch is shown the one after that, with those that came since', async () => {
  const { late, unanswered, shutOut } = lateRequests()
  unanswered.groups = ['readers']
  late.note(identity(7n), [
    { name: 'a', partitions: [0, 1] },
    { name: 'b', partitions: [3] },
  ])
  unanswered.groups = ['writers']
  late.note(identity(7n), [
    { name: 'a', partitions: [1, 2] },
    { name: 'c', partitions: [4] },
  ])
  expect(await shutOut(7n)).toEqual([
    { name: 'a', partitions: [0, 1, 2] },
    { name: 'b', partitions: [3] },
    { name: 'c', partitions: [4] },
    'readers',
    'writers',
  ])
})

it('of another producer id there is nothing that could come late', async () => {
  const { late, shutOut } = lateRequests()
  late.note(identity(7n), [{ name: 'a', partitions: [0] }])
  expect(await shutOut(8n)).toEqual([])
  late.note(identity(8n), [{ name: 'b', partitions: [0] }])
  expect(await shutOut(8n)).toEqual([{ name: 'b', partitions: [0] }])
})

it.each([
  ['all were shown it', [ErrorCodes.NONE, ErrorCodes.NONE], ErrorCodes.NONE],
  ['partitions were not', [ErrorCodes.CONCURRENT_TRANSACTIONS, ErrorCodes.NONE], ErrorCodes.CONCURRENT_TRANSACTIONS],
  ['a group was not', [ErrorCodes.NONE, ErrorCodes.PRODUCER_FENCED], ErrorCodes.PRODUCER_FENCED],
])(
  'what they answer decides whether the next transaction is safe from late requests: %s',
  async (_, codes, decided) => {
    const { late, unanswered, decides } = lateRequests(...codes)
    unanswered.groups = ['readers']
    late.note(identity(7n), [{ name: 'a', partitions: [0] }])
    expect(await decides(7n)).toBe(decided)
    // They are to be shown it until that is done.
    expect(late.isAny).toBe(true)
    late.done()
    expect(late.isAny).toBe(false)
  },
)

it.each([
  ['nothing', false, [], [], { needsEpoch: false, isAny: false }],
  ['the end of the transaction before', true, [], [], { needsEpoch: true, isAny: false }],
  ['a batch', false, ['a'], [], { needsEpoch: true, isAny: true }],
  ['offsets', true, [], ['readers'], { needsEpoch: true, isAny: true }],
])(
  'another epoch is needed, and is to be shown, where what had no answer was %s',
  (_, isAny, topics, groups, expected) => {
    const { late, unanswered } = lateRequests()
    Object.assign(unanswered, { isAny, groups })
    const needsEpoch = late.note(
      identity(7n),
      topics.map((name) => ({ name, partitions: [0] })),
    )
    expect({ needsEpoch, isAny: late.isAny }).toEqual(expected)
  },
)
