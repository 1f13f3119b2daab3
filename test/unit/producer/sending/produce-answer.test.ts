import { describe, expect, it } from 'vitest'
import { PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import { collate } from '../../../../src/producer/sending/collate.js'
import { matchAnswer } from '../../../../src/producer/sending/produce-answer.js'
import { UNKNOWN_LEADER } from '../../../../src/protocol/apis/leader-hints.js'
import type { ProduceTopicResponse } from '../../../../src/protocol/apis/produce.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'
import { UNPOOLED } from '../../../../src/protocol/records/record-batch.js'
import { Owner, outgoingMessage } from '../outgoing.js'

const BY_NAME = 12
const BY_ID = 13

const idOf = (topic: string) => Buffer.alloc(16, topic)

/** What was sent, such as `a-0 a-1 b-0`. */
function sent(partitions: string) {
  const batches = partitions.split(' ').map((name) => {
    const [topic = '', index] = name.split('-')
    const queue = new PartitionQueue(topic, Number(index), { plainBytes: 1_000, ratio: 1 }, UNPOOLED)
    queue.append(outgoingMessage(new Owner(), 0, { value: 'x' }))
    return queue.takeNext(0)
  })
  return collate(batches, idOf)
}

/** An answer to those partitions, a topic's in several parts where they are apart; the base offset says which it was. */
function answer(partitions: string, version: number) {
  const responses: ProduceTopicResponse[] = []
  let latest: string | undefined
  for (const [i, name] of partitions.split(' ').entries()) {
    const [topic = '', index] = name.split('-')
    const partition = {
      index: Number(index),
      errorCode: 0,
      baseOffset: BigInt(i),
      logAppendTimeMs: -1,
      logStartOffset: -1n,
      recordErrors: [],
      errorMessage: null,
      currentLeader: UNKNOWN_LEADER,
    }
    const names = version < BY_ID ? { name: topic, topicId: ZERO_UUID } : { name: '', topicId: idOf(topic) }
    const last = topic === latest ? responses.pop() : undefined
    responses.push({ ...names, partitionResponses: [...(last?.partitionResponses ?? []), partition] })
    latest = topic
  }
  return { responses, throttleTimeMs: 0, nodeEndpoints: [] }
}

describe.each([
  ['by name', BY_NAME],
  ['by id', BY_ID],
])("each batch's part of an answer, topics %s", (_, version) => {
  const matched = (request: string, response: string) =>
    matchAnswer(sent(request), version, answer(response, version)).map(({ baseOffset }) => Number(baseOffset))

  it.each([
    ['the same order', 'a-0 b-0 c-3', 'a-0 b-0 c-3', [0, 1, 2]],
    ['another order of topics', 'a-0 b-0 c-3', 'c-3 a-0 b-0', [1, 2, 0]],
    ['another order of partitions', 'a-0 a-1 a-2', 'a-2 a-0 a-1', [1, 2, 0]],
    ['a topic in parts', 'a-0 b-0 a-1', 'a-0 b-0 a-1', [0, 2, 1]],
    ['a topic in parts, in another order', 'a-0 b-0 a-1', 'a-1 b-0 a-0', [2, 0, 1]],
  ])('is found in %s', (_, request, response, expected) => {
    expect(matched(request, response)).toEqual(expected)
  })

  it.each([
    ['a partition that was not sent', 'a-0', 'a-1', /names a-1, which was not sent/],
    ['one partition more', 'a-0', 'a-0 a-1', /names a-1, which was not sent/],
    ['a topic that was not sent', 'a-0', 'b-0', /names (an unknown topic|b)-0, which was not sent/],
    ['a partition twice', 'a-0 a-1', 'a-0 a-0', /names a-0 twice/],
    ['nothing of a partition', 'a-0 a-1', 'a-0', /says nothing of a-1/],
    ['nothing of a topic', 'a-0 b-0', 'a-0', /says nothing of b-0/],
  ])('contradicts the request where it has %s', (_, request, response, message) => {
    expect(() => matched(request, response)).toThrow(message)
  })
})
