import type { CreatableTopic } from '../../protocol/apis/create-topics.js'
import { problemOfTopicName } from '../cluster.js'
import type { RequestContext } from '../handler.js'
import { problemOfSettings } from '../topic-settings.js'
import type { CreationTerms } from './create-topics.js'

/** Why a topic is not created, in the words of the controller that says so. */
export interface TopicProblem {
  readonly error: string
  readonly message: string
}

/** What a KRaft controller creates at once at the most. */
const MAX_PARTITIONS = 10_000

export function problemOfNewTopic(
  asked: CreatableTopic,
  terms: CreationTerms,
  context: RequestContext,
): TopicProblem | undefined {
  return context.broker.release.isKraft
    ? problemByKraft(asked, terms, context)
    : problemByZookeeper(asked, terms, context)
}

// What is wrong with several things is told in the order in which each controller looks.

function problemByKraft(
  asked: CreatableTopic,
  { request, twice, existing }: CreationTerms,
  { cluster, broker: { release } }: RequestContext,
): TopicProblem | undefined {
  const { name, numPartitions, replicationFactor, assignments, configs } = asked
  if (twice.has(name)) return because('INVALID_REQUEST', 'Duplicate topic name.')
  if (name === '__cluster_metadata')
    return because('INVALID_REQUEST', 'Creation of internal topic __cluster_metadata is prohibited.')
  const wrongName = problemOfTopicName(name)
  if (wrongName !== undefined) return because('INVALID_TOPIC_EXCEPTION', `Topic name is invalid: ${wrongName}`)
  if (existing.has(name)) return because('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
  const other = cluster.colliding(name, existing)
  if (other !== undefined)
    return because('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with existing topic: ${other}`)
  const nullConfig = configs.find(({ value }) => value === null)
  if (nullConfig !== undefined)
    return because('INVALID_CONFIG', `Null value not supported for topic configs: ${nullConfig.name}`)
  const wrongSettings = problemOfSettings(configs, release)
  if (wrongSettings !== undefined) return because('INVALID_CONFIG', wrongSettings)
  if (assignments.length > 0) return problemOfAssignmentByKraft(asked, [...cluster.nodes.keys()])
  if (replicationFactor < -1 || replicationFactor === 0) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.'
    return because('INVALID_REPLICATION_FACTOR', message)
  }
  if (numPartitions < -1 || numPartitions === 0)
    return because('INVALID_PARTITIONS', 'Number of partitions was set to an invalid non-positive value.')
  if (request.topics.reduce((sum, topic) => sum + Math.max(0, topic.numPartitions), 0) > MAX_PARTITIONS)
    return because('POLICY_VIOLATION', 'Excessively large number of partitions per request.')
  const brokers = cluster.livingIds().length
  if (replicationFactor <= brokers) return undefined
  const cordoned = release.atLeast(4, 4) ? ' or some brokers have all their log directories cordoned' : ''
  return because(
    'INVALID_REPLICATION_FACTOR',
    `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ` +
      `${replicationFactor} cannot be reached because only ${brokers} broker(s) are registered${cordoned}.`,
  )
}

function problemOfAssignmentByKraft(
  { numPartitions, replicationFactor, assignments }: CreatableTopic,
  brokers: readonly number[],
): TopicProblem | undefined {
  const both = 'A manual partition assignment was specified, but'
  if (replicationFactor !== -1) return because('INVALID_REQUEST', `${both} replication factor was not set to -1.`)
  if (numPartitions !== -1) return because('INVALID_REQUEST', `${both} numPartitions was not set to -1.`)
  const invalid = (message: string): TopicProblem => because('INVALID_REPLICA_ASSIGNMENT', message)
  const includes = (what: string): TopicProblem => invalid(`The manual partition assignment includes ${what}`)
  const seen = new Set<number>()
  const size = assignments[0]?.brokerIds.length ?? 0
  for (const { partitionIndex, brokerIds } of assignments) {
    if (seen.has(partitionIndex))
      return invalid(`Found multiple manual partition assignments for partition ${partitionIndex}`)
    seen.add(partitionIndex)
    if (brokerIds.length === 0) return includes('an empty replica list.')
    const stranger = brokerIds.find((id) => !brokers.includes(id))
    if (stranger !== undefined) return includes(`broker ${stranger}, but no such broker is registered.`)
    const again = brokerIds.find((id, at) => brokerIds.indexOf(id) !== at)
    if (again !== undefined) return includes(`the broker ${again} more than once.`)
    if (brokerIds.length !== size) {
      const previous = `this is not consistent with previous partitions, which have ${size} replica(s).`
      return includes(`a partition with ${brokerIds.length} replica(s), but ${previous}`)
    }
  }
  return isConsecutive(assignments) ? undefined : invalid(NOT_CONSECUTIVE)
}

function problemByZookeeper(
  asked: CreatableTopic,
  { twice, existing }: CreationTerms,
  { cluster, broker }: RequestContext,
): TopicProblem | undefined {
  const { name, numPartitions, replicationFactor, assignments, configs } = asked
  if (broker.id !== cluster.controllerId) return because('NOT_CONTROLLER', '')
  if (twice.has(name)) return because('INVALID_REQUEST', 'Found multiple entries for this topic.')
  if (cluster.topics.has(name)) return because('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
  const nullConfig = configs.find(({ value }) => value === null)
  if (nullConfig !== undefined)
    return because('INVALID_REQUEST', `Null value not supported for topic configs : ${nullConfig.name}`)
  if (assignments.length > 0) {
    const problem = problemOfAssignmentByZookeeper(asked, [...cluster.nodes.keys()])
    if (problem !== undefined) return problem
  } else {
    if (numPartitions < -1 || numPartitions === 0)
      return because('INVALID_PARTITIONS', 'Number of partitions must be larger than 0.')
    // No bound of Kafka's, but one that this process can bear.
    if (numPartitions > MAX_PARTITIONS) return because('POLICY_VIOLATION', 'Excessively large number of partitions.')
    if (replicationFactor < -1 || replicationFactor === 0)
      return because('INVALID_REPLICATION_FACTOR', 'Replication factor must be larger than 0.')
    const brokers = cluster.livingIds().length
    if (replicationFactor > brokers) {
      const message = `Replication factor: ${replicationFactor} larger than available brokers: ${brokers}.`
      return because('INVALID_REPLICATION_FACTOR', message)
    }
  }
  const wrongName = wrongNameByZookeeper(name)
  if (wrongName !== undefined) return because('INVALID_TOPIC_EXCEPTION', wrongName)
  const other = cluster.colliding(name, [...existing, ...cluster.topics.keys()])
  if (other !== undefined)
    return because('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with existing topics: ${other}`)
  const wrongSettings = problemOfSettings(configs, broker.release)
  return wrongSettings === undefined ? undefined : because('INVALID_CONFIG', wrongSettings)
}

function problemOfAssignmentByZookeeper(
  { numPartitions, replicationFactor, assignments }: CreatableTopic,
  brokers: readonly number[],
): TopicProblem | undefined {
  if (numPartitions !== -1 || replicationFactor !== -1) {
    const message =
      'Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.'
    return because('INVALID_REQUEST', message)
  }
  const invalid = (message: string): TopicProblem => because('INVALID_REPLICA_ASSIGNMENT', message)
  const lists = assignments.map(({ brokerIds }) => brokerIds)
  if (lists.some((ids) => new Set(ids).size < ids.length)) return invalid('Duplicate replica assignment found')
  if (lists.some((ids) => ids.length !== lists[0]?.length))
    return invalid('All partitions should have the same number of replicas')
  if (!isConsecutive(assignments)) return invalid(NOT_CONSECUTIVE)
  // Kafka of that time makes a topic that nobody leads.
  const known = lists.every((ids) => ids.length > 0 && ids.every((id) => brokers.includes(id)))
  return known ? undefined : invalid('An assignment names brokers that there are not')
}

const NOT_CONSECUTIVE = 'partitions should be a consecutive 0-based integer sequence'

function isConsecutive(assignments: CreatableTopic['assignments']): boolean {
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
  return assignments.every((_, index) => indexes.has(index))
}

function wrongNameByZookeeper(name: string): string | undefined {
  if (problemOfTopicName(name) === undefined) return undefined
  if (name === '') return "Topic name is illegal, it can't be empty"
  if (name === '.' || name === '..') return 'Topic name cannot be "." or ".."'
  if (name.length > 249) return `Topic name is illegal, it can't be longer than 249 characters, topic name: ${name}`
  return `Topic name "${name}" is illegal, it contains a character other than ASCII alphanumerics, '.', '_' and '-'`
}

function because(error: string, message: string): TopicProblem {
  return { error, message }
}
