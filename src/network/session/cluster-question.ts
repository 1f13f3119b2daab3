import { isThrottleAhead } from '../../protocol/api.js'
import { CLUSTER_ID_FROM, metadata } from '../../protocol/apis/metadata.js'
import type { KnownCluster } from './known-cluster.js'
import type { BrokerSession } from './session.js'
import { MisroutedError, type Destination } from './versions-question.js'

/**
 * Makes sure that a broker is of the cluster that it is taken for, before messages go to it. One that was made anew at the
 * same addresses gives others the ids of producers of the one before, and would take their messages for what it has
 * already. The broker is asked where the cluster may be another: it may know nothing of KIP-1242 (Kafka 4.4), have been asked in
 * an older version what it speaks, or have been told of the cluster that was known then.
 *
 * @throws MisroutedError, and what a request throws
 */
export async function checkCluster(
  { connection, versions, throttle }: BrokerSession,
  cluster: KnownCluster,
  destination: Destination,
  timeoutMs: number,
): Promise<void> {
  if (!cluster.mayBeAnother) return
  const version = versions.has(metadata) ? versions.highest(metadata) : 0
  if (version < CLUSTER_ID_FROM) return
  const question = {
    topics: [],
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const { clusterId, throttleTimeMs } = await connection.request(metadata, version, question, { timeoutMs })
  throttle.heed(throttleTimeMs, isThrottleAhead(metadata, version))
  // By now it may be known to be another than when it was asked.
  const id = cluster.id ?? destination.clusterId
  if (clusterId !== null && clusterId !== id) throw new MisroutedError({ ...destination, clusterId: id })
}
