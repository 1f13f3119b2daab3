import { MalformedResponseError } from '../../errors.js'
import type { BrokerAddress } from '../../network/streams/connect.js'
import {
  RECORD_ERRORS_FROM,
  TOPIC_IDS_FROM,
  type ProducePartitionResponse,
  type ProduceResponse,
  type ProduceTopicResponse,
} from '../../protocol/apis/produce.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { foreignText } from '../../wording/foreign-text.js'
import type { PartitionBatch } from '../queues/partition-queue.js'
import type { Attempt } from './attempt.js'
import type { CollatedTopic } from './collate.js'

/**
 * The answer's part for each attempt of a request, in the order of the request.
 *
 * @throws MalformedResponseError where a partition is missing, repeated or was not in the request: the answer then
 *   says nothing certain of any.
 */
export function matchAnswer(
  topics: readonly CollatedTopic[],
  version: number,
  response: ProduceResponse,
): ProducePartitionResponse[] {
  const byId = version >= TOPIC_IDS_FROM
  return answersInOrder(topics, byId, response) ?? answersByName(topics, byId, response)
}

/** Brokers mostly answer in the order of the request; undefined where this one has not. */
function answersInOrder(
  topics: readonly CollatedTopic[],
  byId: boolean,
  { responses }: ProduceResponse,
): ProducePartitionResponse[] | undefined {
  if (responses.length !== topics.length) return undefined
  const answers: ProducePartitionResponse[] = []
  for (const [i, { name, topicId, partitionData }] of topics.entries()) {
    const { name: itsName, topicId: itsId, partitionResponses } = responses[i] as ProduceTopicResponse
    if (byId ? !topicId.equals(itsId) : name !== itsName) return undefined
    if (partitionResponses.length !== partitionData.length) return undefined
    for (let k = 0; k < partitionData.length; k++) {
      const answer = partitionResponses[k] as ProducePartitionResponse
      if (answer.index !== partitionData[k]?.index) return undefined
      answers.push(answer)
    }
  }
  return answers
}

function answersByName(
  topics: readonly CollatedTopic[],
  byId: boolean,
  { responses }: ProduceResponse,
): ProducePartitionResponse[] {
  const sent = new Map(topics.map((topic) => [byId ? topic.topicId.toString('hex') : topic.name, topic]))
  const matched = new Map<Attempt, ProducePartitionResponse>()
  for (const topic of responses) {
    const its = sent.get(byId ? topic.topicId.toString('hex') : topic.name)
    const attempts = new Map(its?.partitionData.map((attempt) => [attempt.index, attempt]))
    const name = its?.name ?? (byId ? 'an unknown topic' : topic.name)
    for (const answer of topic.partitionResponses) {
      const attempt = attempts.get(answer.index)
      if (attempt === undefined) throw contradiction(`names ${foreignText(name)}-${answer.index}, which was not sent`)
      if (matched.has(attempt)) throw contradiction(`names ${name}-${answer.index} twice`)
      matched.set(attempt, answer)
    }
  }
  return topics.flatMap(({ name, partitionData }) =>
    partitionData.map((attempt) => {
      const answer = matched.get(attempt)
      if (answer === undefined) throw contradiction(`says nothing of ${name}-${attempt.index}`)
      return answer
    }),
  )
}

function contradiction(what: string): MalformedResponseError {
  return new MalformedResponseError(`the answer to a Produce request ${what}`)
}

/** The addresses of new leaders that an answer came with (KIP-951). */
export function leaderAddresses(response: ProduceResponse): Map<number, BrokerAddress> {
  return new Map(response.nodeEndpoints.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
}

/**
 * Which messages are wrong, where the broker does not name them: before Kafka 2.4 it answers CORRUPT_MESSAGE to one without a
 * key, for a compacted topic. What is told to be corrupt twice in a row was not changed on its way.
 */
export function namingKeyless(
  batch: PartitionBatch,
  answer: ProducePartitionResponse,
  version: number,
): ProducePartitionResponse {
  if (answer.errorCode !== ErrorCodes.CORRUPT_MESSAGE || version >= RECORD_ERRORS_FROM) return answer
  if (batch.history.lastError?.code !== 'CORRUPT_MESSAGE') return answer
  const recordErrors = batch.keyless.map((batchIndex) => ({ batchIndex, batchIndexErrorMessage: null }))
  return { ...answer, recordErrors }
}
