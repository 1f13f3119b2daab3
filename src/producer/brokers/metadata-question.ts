import { MetadataUnavailableError, type BrokerResponseError } from '../../errors.js'
import type { BrokerSession } from '../../network/session/session.js'
import { formatAddress } from '../../network/streams/connect.js'
import { isThrottleAhead } from '../../protocol/api.js'
import {
  metadata as metadataApi,
  NO_AUTO_CREATION_FROM,
  NO_TOPICS_FROM,
  type MetadataResponse,
  type MetadataTopic,
} from '../../protocol/apis/metadata.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { asRetriable, brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import { answerTimeoutMs } from './any-broker.js'
import { RELIABLE_EPOCHS_FROM } from './leader-epochs.js'

/**
 * Errors of an answer as a whole that pass, beside those that Kafka calls retriable: Kafka 4 sends the first
 * for a moment now and then, a broker that starts may send the second, and the third is about whom to ask next.
 */
const MOMENTARY_ERRORS = new Set<number>([
  ErrorCodes.UNKNOWN_SERVER_ERROR,
  ErrorCodes.BROKER_NOT_AVAILABLE,
  ErrorCodes.REBOOTSTRAP_REQUIRED,
])

/** The question for metadata, as one broker can be asked it, and what is made of its answer as a whole. */
export class MetadataQuestion {
  /** @param onRebootstrap the cluster says that what is known of its brokers is to be forgotten (KIP-1102) */
  constructor(
    private readonly requestTimeoutMs: number,
    private readonly onRebootstrap: () => void,
  ) {}

  /**
   * @throws MetadataUnavailableError where the broker knows no brokers yet; BrokerResponseError; and whatever the connection
   *   fails with
   */
  async put(
    { connection, versions, throttle }: BrokerSession,
    names: ReadonlySet<string>,
    mayCreate: boolean,
    patienceMs?: number,
  ): Promise<MetadataResponse> {
    const version = versions.highest(metadataApi)
    // Older brokers create every topic that is named: the question that must not do so names none and means all.
    const namesTopics = mayCreate || version >= NO_AUTO_CREATION_FROM || (names.size === 0 && version >= NO_TOPICS_FROM)
    const question = {
      topics: namesTopics ? [...names].map((name) => ({ name, topicId: ZERO_UUID })) : null,
      wanted: [...names],
      allowAutoTopicCreation: mayCreate || version < NO_AUTO_CREATION_FROM,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    const timeoutMs = answerTimeoutMs(this.requestTimeoutMs, patienceMs)
    const response = await connection.request(metadataApi, version, question, { timeoutMs })
    throttle.heed(response.throttleTimeMs, isThrottleAhead(metadataApi, version))
    if (response.errorCode === ErrorCodes.REBOOTSTRAP_REQUIRED) this.onRebootstrap()
    if (response.errorCode !== ErrorCodes.NONE) throw answerError(response.errorCode)
    if (response.brokers.length === 0)
      throw new MetadataUnavailableError(`${formatAddress(connection.address)} knows no broker yet`)
    return version >= RELIABLE_EPOCHS_FROM ? response : withoutEpochs(response)
  }
}

/** An error of the answer as a whole. */
function answerError(code: number): BrokerResponseError {
  const error = brokerResponseError(code, 'Metadata')
  return MOMENTARY_ERRORS.has(code) ? asRetriable(error) : error
}

function withoutEpochs(response: MetadataResponse): MetadataResponse {
  const topics = response.topics.map((topic: MetadataTopic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({ ...partition, leaderEpoch: -1 })),
  }))
  return { ...response, topics }
}
