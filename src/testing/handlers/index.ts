import { serve, type ServedApi } from '../handler.js'
import { addOffsetsToTxnHandler } from './add-offsets-to-txn.js'
import { addPartitionsToTxnHandler } from './add-partitions-to-txn.js'
import { apiVersionsHandler } from './api-versions.js'
import { createTopicsHandler } from './create-topics.js'
import { deleteTopicsHandler } from './delete-topics.js'
import { describeClusterHandler } from './describe-cluster.js'
import { endTxnHandler } from './end-txn.js'
import { fetchHandler } from './fetch.js'
import { findCoordinatorHandler } from './find-coordinator.js'
import { heartbeatHandler } from './heartbeat.js'
import { initProducerIdHandler } from './init-producer-id.js'
import { joinGroupHandler } from './join-group.js'
import { leaveGroupHandler } from './leave-group.js'
import { listOffsetsHandler } from './list-offsets.js'
import { metadataHandler } from './metadata.js'
import { offsetCommitHandler } from './offset-commit.js'
import { offsetFetchHandler } from './offset-fetch.js'
import { produceHandler } from './produce.js'
import { saslAuthenticateHandler, saslHandshakeHandler } from './sasl.js'
import { syncGroupHandler } from './sync-group.js'
import { getTelemetrySubscriptionsHandler, pushTelemetryHandler } from './telemetry.js'
import { txnOffsetCommitHandler } from './txn-offset-commit.js'

/** Everything that a broker of some release can be asked, by API key. */
export function makeHandlers(): ReadonlyMap<number, ServedApi> {
  const served: ServedApi[] = [
    serve('Produce', produceHandler),
    serve('Fetch', fetchHandler),
    serve('ListOffsets', listOffsetsHandler),
    serve('Metadata', metadataHandler),
    serve('CreateTopics', createTopicsHandler),
    serve('DeleteTopics', deleteTopicsHandler),
    serve('DescribeCluster', describeClusterHandler),
    serve('FindCoordinator', findCoordinatorHandler),
    serve('JoinGroup', joinGroupHandler),
    serve('SyncGroup', syncGroupHandler),
    serve('Heartbeat', heartbeatHandler),
    serve('LeaveGroup', leaveGroupHandler),
    serve('OffsetCommit', offsetCommitHandler),
    serve('OffsetFetch', offsetFetchHandler),
    serve('InitProducerId', initProducerIdHandler),
    serve('AddPartitionsToTxn', addPartitionsToTxnHandler),
    serve('AddOffsetsToTxn', addOffsetsToTxnHandler),
    serve('TxnOffsetCommit', txnOffsetCommitHandler),
    serve('EndTxn', endTxnHandler),
    serve('GetTelemetrySubscriptions', getTelemetrySubscriptionsHandler),
    serve('PushTelemetry', pushTelemetryHandler),
    serve('SaslHandshake', saslHandshakeHandler),
    serve('SaslAuthenticate', saslAuthenticateHandler),
    serve(
      'ApiVersions',
      apiVersionsHandler(() => served.map(({ info }) => info)),
    ),
  ]
  return new Map(served.map((api) => [api.info.key, api]))
}
