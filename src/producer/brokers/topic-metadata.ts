import type { BrokerResponseError } from '../../errors.js'
import type { MetadataTopic } from '../../protocol/apis/metadata.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { asRetriable, brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import type { LeaderEpochs } from './leader-epochs.js'

/** What is wrong with a topic for good: waiting helps against all others. */
const FINAL_TOPIC_ERRORS = new Set<number>([ErrorCodes.INVALID_TOPIC_EXCEPTION, ErrorCodes.TOPIC_AUTHORIZATION_FAILED])

export interface PartitionMetadata {
  readonly partition: number
  /** A broker's id; -1 while the partition has no leader. */
  readonly leader: number
  /** -1 where the broker is too old to tell one that can be relied on, before Kafka 2.4. */
  readonly leaderEpoch: number
  readonly error: BrokerResponseError | undefined
}

export interface TopicMetadata {
  readonly topic: string
  /** 16 bytes; null before Kafka 2.8. */
  readonly id: Buffer | null
  /** Ordered by partition, without gaps; empty while the topic is unknown or in error. */
  readonly partitions: readonly PartitionMetadata[]
  readonly error: BrokerResponseError | undefined
}

/**
 * What an answer says of a topic; one left out of the answer does not exist.
 *
 * @param old what was known before
 * @param epochs tells which leaders are no news
 */
export function topicMetadata(
  name: string,
  answer: MetadataTopic | undefined,
  old: TopicMetadata | undefined,
  epochs: LeaderEpochs,
): TopicMetadata {
  const code = answer?.errorCode ?? ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION
  const partitions =
    answer === undefined ? [] : [...answer.partitions].sort((a, b) => a.partitionIndex - b.partitionIndex)
  const hasGap = partitions.some(({ partitionIndex }, position) => partitionIndex !== position)
  if (answer === undefined || code !== ErrorCodes.NONE || hasGap || partitions.length === 0) {
    const error = topicError(code === ErrorCodes.NONE ? ErrorCodes.LEADER_NOT_AVAILABLE : code, name)
    return { topic: name, id: null, partitions: [], error }
  }
  const id = answer.topicId.equals(ZERO_UUID) ? null : answer.topicId
  const oldId = old?.id ?? null
  const isSameTopic = oldId === null || id === null || oldId.equals(id)
  return {
    topic: name,
    id,
    error: undefined,
    partitions: partitions.map(({ partitionIndex, leaderId, leaderEpoch, errorCode }) => {
      const known = isSameTopic ? old?.partitions[partitionIndex] : undefined
      if (known !== undefined && !epochs.isNews(partitionIndex, leaderEpoch, known.leaderEpoch)) return known
      // Errors such as REPLICA_NOT_AVAILABLE (9) say nothing about the leader.
      const error =
        leaderId < 0
          ? brokerResponseError(
              errorCode || ErrorCodes.LEADER_NOT_AVAILABLE,
              `partition ${partitionIndex} of '${name}'`,
            )
          : undefined
      return { partition: partitionIndex, leader: leaderId, leaderEpoch, error }
    }),
  }
}

/**
 * A broker that has lost its ZooKeeper, or knows too few others, fails to create a topic with whatever error that gives
 * (UNKNOWN_SERVER_ERROR, INVALID_REPLICATION_FACTOR): it may do so a little later.
 */
function topicError(code: number, topic: string): BrokerResponseError {
  const error = brokerResponseError(code, `metadata of topic '${topic}'`)
  return FINAL_TOPIC_ERRORS.has(code) ? error : asRetriable(error)
}
