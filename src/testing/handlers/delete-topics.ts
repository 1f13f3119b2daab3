import {
  deleteTopics,
  type DeletableTopicResult,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
  type DeleteTopicState,
} from '../../protocol/apis/delete-topics.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'

export const deleteTopicsHandler: Handler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  api: deleteTopics,

  topics: (request, cluster) =>
    request.topics.map(({ name, topicId }) => ({
      topic: name ?? cluster.topicById(topicId)?.name ?? '',
      partitions: [],
    })),

  answer: (request, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    responses: request.topics.map((asked) => remove(asked, context)),
  }),
}

function remove({ name, topicId }: DeleteTopicState, context: RequestContext): DeletableTopicResult {
  const { cluster, broker, faults } = context
  const topic = name === null ? cluster.topicById(topicId) : cluster.topics.get(name)
  const result = (errorCode: number): DeletableTopicResult => ({
    name: name ?? topic?.name ?? null,
    topicId: topic?.id ?? topicId,
    errorCode,
    errorMessage: null,
  })
  const injected = faults.errorFor(topic?.name ?? name ?? '')
  if (injected !== undefined) return result(injected.code)
  if (!broker.release.forwardsToController && broker.id !== cluster.controllerId)
    return result(codeOf('NOT_CONTROLLER'))
  if (topic === undefined) {
    return result(name === null ? ErrorCodes.UNKNOWN_TOPIC_ID : ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION)
  }
  cluster.deleteTopic(topic.name)
  return result(0)
}
