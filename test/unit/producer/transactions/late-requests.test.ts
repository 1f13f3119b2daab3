import { expect, it } from 'vitest'
import { LateRequests } from '../../../../src/producer/transactions/late-requests.js'
import type { AddPartitionsToTxnTopic } from '../../../../src/protocol/apis/add-partitions-to-txn.js'
import { ErrorCodes } from '../../../../src/protocol/error-codes.js'

const identity = (producerId: bigint) => ({ producerId, epoch: 1, transactional: true })

function lateRequests() {
  const shown: unknown[] = []
  const unanswered = { isAny: false, groups: [] as string[] }
  const late = new LateRequests({
    unanswered,
    addThoseThere: async (_: unknown, topics: readonly AddPartitionsToTxnTopic[]) => {
      shown.push(...topics)
      return ErrorCodes.NONE
    },
    addOffsets: async (_: unknown, groupId: string) => {
      shown.push(groupId)
      return ErrorCodes.NONE
    },
  })
  const shutOut = async (producerId: bigint) => {
    await late.shutOut(identity(producerId), undefined, () => undefined)
    return shown
  }
  return { late, unanswered, shutOut }
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
