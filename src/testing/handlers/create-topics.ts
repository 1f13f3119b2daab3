import {
  createTopics,
  type CreatableTopic,
  type CreatableTopicResult,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
} from '../../protocol/apis/create-topics.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { EmbeddedTopicOptions } from '../options.js'
import { describeSettings, givenSettings } from '../topic-settings.js'
import { problemOfNewTopic } from './new-topic-problem.js'

export const createTopicsHandler: Handler<CreateTopicsRequest, CreateTopicsResponse> = {
  api: createTopics,

  topics: (request) => request.topics.map(({ name }) => ({ topic: name, partitions: [] })),

  answer(request, context) {
    const { release } = context.broker
    const names = request.topics.map(({ name }) => name)
    const twice = new Set(names.filter((name, at) => names.indexOf(name) !== at))
    // A KRaft controller answers each name once, a ZooKeeper one each entry.
    const asked = release.isKraft ? request.topics.filter(({ name }, at) => names.indexOf(name) === at) : request.topics
    const existing = new Set(context.cluster.topics.keys())
    const terms = { request, twice, existing }
    const results = asked.map((topic) => create(topic, terms, context))
    return { throttleTimeMs: context.throttleTimeMs, topics: results }
  },
}

/** What the answer for one topic depends on besides itself. */
export interface CreationTerms {
  readonly request: CreateTopicsRequest
  /** The names that the request has more than once. */
  readonly twice: ReadonlySet<string>
  /** The topics that there were before the request. */
  readonly existing: ReadonlySet<string>
}

function create(asked: CreatableTopic, terms: CreationTerms, context: RequestContext): CreatableTopicResult {
  const { cluster, broker, faults } = context
  const { name, numPartitions, replicationFactor, assignments } = asked
  const injected = faults.errorFor(name)
  if (injected !== undefined) return failed(name, injected.code, null)
  const problem = problemOfNewTopic(asked, terms, context)
  if (problem !== undefined) return failed(name, codeOf(problem.error), problem.message)
  const late = terms.request.timeoutMs <= 0 && !terms.request.validateOnly
  // A KRaft controller has not begun when the time is over; a ZooKeeper one goes on, and does not wait for itself.
  if (late && broker.release.isKraft) return failed(name, codeOf('REQUEST_TIMED_OUT'), null)
  const settings = givenSettings(asked.configs)
  const defaults = new Map([
    ['max.message.bytes', String(cluster.options.messageMaxBytes)],
    ['min.insync.replicas', String(cluster.options.minInsyncReplicas)],
  ])
  const configs = describeSettings(settings, defaults, broker.release)
  const result = { ...failed(name, 0, null), configs }
  if (terms.request.validateOnly) {
    return {
      ...result,
      topicId: broker.release.isKraft ? cluster.newId() : ZERO_UUID,
      numPartitions: assignments.length || (numPartitions > 0 ? numPartitions : cluster.options.defaultPartitions),
      replicationFactor:
        assignments[0]?.brokerIds.length ??
        (replicationFactor > 0 ? replicationFactor : cluster.defaultReplicationFactor),
    }
  }
  const topic = cluster.createTopic(name, optionsOf(asked, settings), placementOf(asked))
  if (late) return failed(name, codeOf('REQUEST_TIMED_OUT'), null)
  return {
    ...result,
    topicId: topic.id,
    numPartitions: topic.partitions.length,
    replicationFactor: topic.replicationFactor,
  }
}

function optionsOf(
  { numPartitions, replicationFactor }: CreatableTopic,
  settings: ReadonlyMap<string, string>,
): EmbeddedTopicOptions {
  return {
    ...(numPartitions > 0 ? { partitions: numPartitions } : {}),
    ...(replicationFactor > 0 ? { replicationFactor } : {}),
    config: Object.fromEntries(settings),
  }
}

function placementOf({ assignments }: CreatableTopic) {
  if (assignments.length === 0) return {}
  const inOrder = [...assignments].sort((one, other) => one.partitionIndex - other.partitionIndex)
  return { replicas: inOrder.map(({ brokerIds }) => brokerIds) }
}

function failed(name: string, errorCode: number, errorMessage: string | null): CreatableTopicResult {
  return {
    name,
    topicId: ZERO_UUID,
    errorCode,
    errorMessage,
    topicConfigErrorCode: 0,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  }
}
