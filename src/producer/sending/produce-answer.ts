import { MalformedResponseError } from '../../errors.js'
import { foreignText } from '../../foreign-text.js'
import type { BrokerAddress } from '../../network/connect.js'
import type { ProducePartitionResponse, ProduceResponse } from '../../protocol/apis/produce.js'
import type { PartitionBatch } from '../queues/partition-queue.js'
import type { CollatedBatches } from './collate.js'

/** From this version of Produce on, an answer names topics by id. */
export const TOPIC_IDS_FROM = 13

/**
 * Pairs each batch of a request with its part of the answer.
 *
 * @throws MalformedResponseError where a partition is missing, repeated or was not in the request: the answer then
 *   says nothing certain of any.
 */
export function matchAnswer(
  collated: CollatedBatches,
  topicIds: ReadonlyMap<string, Buffer | null>,
  version: number,
  response: ProduceResponse,
): Map<PartitionBatch, ProducePartitionResponse> {
  const byId = version >= TOPIC_IDS_FROM ? namesById(topicIds) : undefined
  const matched = new Map<PartitionBatch, ProducePartitionResponse>()
  for (const topic of response.responses) {
    const name = byId === undefined ? topic.name : byId.get(topic.topicId.toString('hex'))
    const batches = name === undefined ? undefined : collated.get(name)
    for (const answer of topic.partitionResponses) {
      const batch = batches?.get(answer.index)
      if (batch === undefined)
        throw contradiction(`names ${foreignText(name ?? 'an unknown topic')}-${answer.index}, which was not sent`)
      if (matched.has(batch)) throw contradiction(`names ${name}-${answer.index} twice`)
      matched.set(batch, answer)
    }
  }
  for (const [topic, batches] of collated) {
    for (const [partition, batch] of batches) {
      if (!matched.has(batch)) throw contradiction(`says nothing of ${topic}-${partition}`)
    }
  }
  return matched
}

function contradiction(what: string): MalformedResponseError {
  return new MalformedResponseError(`the answer to a Produce request ${what}`)
}

function namesById(topicIds: ReadonlyMap<string, Buffer | null>): Map<string, string> {
  const names = new Map<string, string>()
  for (const [name, id] of topicIds) if (id !== null) names.set(id.toString('hex'), name)
  return names
}

/** The addresses of new leaders that an answer came with (KIP-951). */
export function leaderAddresses(response: ProduceResponse): Map<number, BrokerAddress> {
  return new Map(response.nodeEndpoints.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
}
