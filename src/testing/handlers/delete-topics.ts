import {
  deleteTopics,
  type DeletableTopicResult,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
  type DeleteTopicState,
} from '../../protocol/apis/delete-topics.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'
import type { Topic } from '../topic.js'

const MESSAGES_FROM = 5

export const deleteTopicsHandler: Handler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  api: deleteTopics,

  topics: (request, cluster) =>
    request.topics.map(({ name, topicId }) => ({
      topic: name ?? cluster.topicById(topicId)?.name ?? '',
      partitions: [],
    })),

  answer({ topics, timeoutMs }, context) {
    const { throttleTimeMs, broker } = context
    const isLate = timeoutMs <= 0
    // A KRaft controller has not begun when the time is over; a ZooKeeper one goes on, and does not wait for itself.
    if (isLate && broker.release.isKraft) {
      const responses = topics.map((asked) => remove({ asked, topic: undefined }, TIMED_OUT, context))
      return { throttleTimeMs, responses }
    }
    // Everything is looked up before anything is deleted: the topics are those that the request found.
    const entries = topics.map((asked) => ({ asked, topic: find(asked, context) }))
    const responses = broker.release.isKraft ? deleteByKraft(entries, context) : deleteByZookeeper(entries, context)
    if (!isLate) return { throttleTimeMs, responses }
    const timedOut = codeOf(TIMED_OUT.error)
    return {
      throttleTimeMs,
      responses: responses.map((one) => (one.errorCode === 0 ? { ...one, errorCode: timedOut } : one)),
    }
  },
}

interface Entry {
  readonly asked: DeleteTopicState
  readonly topic: Topic | undefined
}

/** A KRaft controller answers each name and id once; whatever is said twice is not deleted. */
function deleteByKraft(entries: readonly Entry[], context: RequestContext): DeletableTopicResult[] {
  const keyOf = ({ name, topicId }: DeleteTopicState): string => `${name ?? ''}/${topicId.toString('hex')}`
  const keys = entries.map(({ asked }) => keyOf(asked))
  const problemOf = ({ asked: { name, topicId }, topic }: Entry, at: number): Problem | undefined => {
    const byId = !topicId.equals(ZERO_UUID)
    if (name !== null && byId) return because('INVALID_REQUEST', 'You may not specify both topic name and topic id.')
    if (name === null && !byId) return because('INVALID_REQUEST', 'Neither topic name nor id were specified.')
    if (keys.lastIndexOf(keys[at] ?? '') !== at)
      return because('INVALID_REQUEST', name === null ? 'Duplicate topic id.' : 'Duplicate topic name.')
    if (topic === undefined) return unknown(name)
    return isBoth(topic)
      ? because('INVALID_REQUEST', 'The provided topic name maps to an ID that was already supplied.')
      : undefined
  }
  const asked = entries.flatMap(({ topic, asked: { name } }) => (topic === undefined ? [] : [{ topic, name }]))
  const isBoth = (topic: Topic): boolean => {
    const entriesOfIt = asked.filter((entry) => entry.topic === topic)
    return entriesOfIt.some(({ name }) => name === null) && entriesOfIt.some(({ name }) => name !== null)
  }
  return entries.flatMap((entry, at) => {
    const { topic, asked } = entry
    if (keys.indexOf(keys[at] ?? '') !== at) return []
    if (topic === undefined || !isBoth(topic)) return remove(entry, problemOf(entry, at), context)
    // Both ways to ask for it are answered as one.
    if (asked.name === null) return []
    return { ...remove(entry, problemOf(entry, at), context), topicId: topic.id }
  })
}

/** A ZooKeeper controller answers each entry, and says no more than the code. */
function deleteByZookeeper(entries: readonly Entry[], context: RequestContext): DeletableTopicResult[] {
  const { broker, cluster } = context
  const problemOf = ({ asked: { name, topicId }, topic }: Entry): Problem | undefined => {
    const byId = !topicId.equals(ZERO_UUID)
    if (broker.id !== cluster.controllerId) return because('NOT_CONTROLLER')
    if (name !== null && byId) return because('INVALID_REQUEST')
    // Whoever asks for no topic is not allowed to.
    if (name === null && !byId) return because('TOPIC_AUTHORIZATION_FAILED')
    return topic === undefined ? { error: unknown(name).error, message: null } : undefined
  }
  return entries.map((entry) => remove(entry, problemOf(entry), context))
}

function remove({ asked, topic }: Entry, problem: Problem | undefined, context: RequestContext): DeletableTopicResult {
  const { cluster, broker, faults, version } = context
  const injected = faults.errorFor(topic?.name ?? asked.name ?? '')
  const errorCode = injected?.code ?? (problem === undefined ? 0 : codeOf(problem.error))
  const deleted = errorCode === 0 ? topic : undefined
  if (deleted !== undefined && cluster.topics.get(deleted.name) === deleted) cluster.deleteTopic(deleted.name)
  const tellsId = broker.release.isKraft || asked.name === null
  return {
    name: deleted?.name ?? asked.name,
    topicId: deleted !== undefined && tellsId ? deleted.id : asked.topicId,
    errorCode,
    errorMessage: injected === undefined && version >= MESSAGES_FROM ? (problem?.message ?? null) : null,
  }
}

interface Problem {
  readonly error: string
  readonly message: string | null
}

const TIMED_OUT: Problem = { error: 'REQUEST_TIMED_OUT', message: null }

function because(error: string, message: string | null = null): Problem {
  return { error, message }
}

function unknown(name: string | null): Problem {
  return name === null
    ? because('UNKNOWN_TOPIC_ID', 'This server does not host this topic ID.')
    : because('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.')
}

function find({ name, topicId }: DeleteTopicState, { cluster }: RequestContext): Topic | undefined {
  return name === null ? cluster.topicById(topicId) : cluster.topics.get(name)
}
