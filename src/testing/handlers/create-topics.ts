import {
  createTopics,
  type CreatableTopic,
  type CreatableTopicResult,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/apis/create-topics.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { isValidTopicName } from '../cluster.js'
import { codeOf } from '../error-names.js'
import { EmbeddedKafkaError } from '../errors.js'
import type { Handler, RequestContext } from '../handler.js'
import type { EmbeddedTopicOptions } from '../options.js'

export const createTopicsHandler: Handler<CreateTopicsRequest, CreateTopicsResponse> = {
  api: createTopics,

  topics: (request) => request.topics.map(({ name }) => ({ topic: name, partitions: [] })),

  answer: (request, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    topics: request.topics.map((asked) => create(asked, request, context)),
  }),
}

function create(asked: CreatableTopic, request: CreateTopicsRequest, context: RequestContext): CreatableTopicResult {
  const { cluster, faults } = context
  const injected = faults.errorFor(asked.name)
  if (injected !== undefined) return failed(asked.name, injected.code, null)
  const problem = problemOf(asked, request, context)
  if (problem !== undefined) return failed(asked.name, codeOf(problem[0]), problem[1])
  const options = optionsOf(asked)
  const replicas = asked.assignments.map(({ brokerIds }) => brokerIds)
  if (request.validateOnly) return created(asked.name, ZERO_UUID, asked.numPartitions, asked.replicationFactor)
  try {
    const topic = cluster.createTopic(asked.name, options, replicas.length > 0 ? { replicas } : {})
    return created(asked.name, topic.id, topic.partitions.length, topic.replicationFactor)
  } catch (error) {
    if (!(error instanceof EmbeddedKafkaError)) throw error
    return failed(asked.name, codeOf('INVALID_CONFIG'), error.message)
  }
}

function problemOf(
  asked: CreatableTopic,
  request: CreateTopicsRequest,
  { cluster, broker }: RequestContext,
): readonly [error: string, message: string] | undefined {
  const { name, numPartitions, replicationFactor, assignments } = asked
  if (!broker.release.forwardsToController && broker.id !== cluster.controllerId) {
    return ['NOT_CONTROLLER', `broker ${cluster.controllerId} is the controller`]
  }
  if (request.topics.filter((other) => other.name === name).length > 1) return ['INVALID_REQUEST', 'named twice']
  if (!isValidTopicName(name)) return ['INVALID_TOPIC_EXCEPTION', `'${name}' is no valid name of a topic`]
  if (cluster.topics.has(name)) return ['TOPIC_ALREADY_EXISTS', `topic '${name}' already exists`]
  if (assignments.length > 0) return problemOfAssignment(asked, [...cluster.nodes.keys()])
  if (numPartitions < 1 && numPartitions !== -1) return ['INVALID_PARTITIONS', `${numPartitions} partitions`]
  const brokers = cluster.livingIds().length
  if (replicationFactor !== -1 && (replicationFactor < 1 || replicationFactor > brokers)) {
    return ['INVALID_REPLICATION_FACTOR', `replication factor ${replicationFactor} with ${brokers} brokers`]
  }
  return undefined
}

function problemOfAssignment(
  { numPartitions, replicationFactor, assignments }: CreatableTopic,
  brokers: readonly number[],
): readonly [error: string, message: string] | undefined {
  if (numPartitions !== -1 || replicationFactor !== -1) return ['INVALID_REQUEST', 'both numbers and an assignment']
  const size = assignments[0]?.brokerIds.length ?? 0
  const sound = assignments.every(
    ({ partitionIndex, brokerIds }, index) =>
      partitionIndex === index &&
      brokerIds.length === size &&
      size > 0 &&
      new Set(brokerIds).size === size &&
      brokerIds.every((id) => brokers.includes(id)),
  )
  return sound ? undefined : ['INVALID_REPLICA_ASSIGNMENT', 'an assignment that does not fit this cluster']
}

function optionsOf({ numPartitions, replicationFactor, configs }: CreatableTopic): EmbeddedTopicOptions {
  return {
    ...(numPartitions > 0 ? { partitions: numPartitions } : {}),
    ...(replicationFactor > 0 ? { replicationFactor } : {}),
    config: Object.fromEntries(configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value] as const]))),
  }
}

function failed(name: string, errorCode: number, errorMessage: string | null): CreatableTopicResult {
  return { ...created(name, ZERO_UUID, -1, -1), errorCode, errorMessage }
}

function created(
  name: string,
  topicId: Buffer,
  numPartitions: number,
  replicationFactor: number,
): CreatableTopicResult {
  return {
    name,
    topicId,
    errorCode: 0,
    errorMessage: null,
    topicConfigErrorCode: 0,
    numPartitions,
    replicationFactor,
    configs: [],
  }
}
