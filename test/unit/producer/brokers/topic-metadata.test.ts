import { expect, it } from 'vitest'
import { LeaderEpochs } from '../../../../src/producer/brokers/leader-epochs.js'
import { topicMetadata } from '../../../../src/producer/brokers/topic-metadata.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'
import { topicMetadata as answer } from '../../../embedded/support/scripted-broker.js'

/** What is made of an answer that has these partitions, each led by the broker that is one more. */
function learned(indexes: readonly number[]) {
  const [partition] = answer('orders', 1).partitions
  const partitions = indexes.map((partitionIndex) => ({
    ...(partition as NonNullable<typeof partition>),
    partitionIndex,
    leaderId: partitionIndex + 1,
  }))
  return topicMetadata('orders', { ...answer('orders', 0), partitions }, undefined, new LeaderEpochs())
}

it('partitions are known by their numbers, in whatever order an answer has them', () => {
  const { partitions, error } = learned([2, 0, 1])
  expect(error).toBeUndefined()
  expect(partitions).toMatchObject([0, 1, 2].map((partition) => ({ partition, leader: partition + 1 })))
})

it.each([
  ['lacks one', [0, 2]],
  ['lacks the first', [1, 2]],
  ['has one twice', [0, 1, 1]],
  ['has one twice and lacks one', [0, 0, 2]],
  ['has a number below zero', [-1, 0]],
  ['has none', []],
])('of an answer that %s nothing is taken, and the topic is asked for again', (_, indexes) => {
  const { partitions, error } = learned(indexes)
  expect(partitions).toEqual([])
  expect(error).toMatchObject({ code: 'LEADER_NOT_AVAILABLE', retriable: true })
})

it.each([
  ['another: its leaders have epochs that begin anew', Buffer.alloc(16, 2), 2],
  ['the same: an older epoch is no news', Buffer.alloc(16, 1), 1],
  ['not told: an older epoch is no news', ZERO_UUID, 1],
])('where the id of a topic is %s', (_, topicId, leader) => {
  const epochs = new LeaderEpochs()
  const before = { ...answer('orders', 1, { leaderId: 1, leaderEpoch: 5 }), topicId: Buffer.alloc(16, 1) }
  const after = { ...answer('orders', 1, { leaderId: 2, leaderEpoch: 0 }), topicId }
  const old = topicMetadata('orders', before, undefined, epochs)
  expect(topicMetadata('orders', after, old, epochs).partitions).toMatchObject([{ leader }])
})
