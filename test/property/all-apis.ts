import type { Api } from '../../src/protocol/api.js'
import { addOffsetsToTxn } from '../../src/protocol/apis/add-offsets-to-txn.js'
import { addPartitionsToTxn } from '../../src/protocol/apis/add-partitions-to-txn.js'
import { apiVersions } from '../../src/protocol/apis/api-versions.js'
import { createTopics } from '../../src/protocol/apis/create-topics.js'
import { deleteTopics } from '../../src/protocol/apis/delete-topics.js'
import { describeCluster } from '../../src/protocol/apis/describe-cluster.js'
import { endTxn } from '../../src/protocol/apis/end-txn.js'
import { fetch } from '../../src/protocol/apis/fetch.js'
import { findCoordinator } from '../../src/protocol/apis/find-coordinator.js'
import { getTelemetrySubscriptions } from '../../src/protocol/apis/get-telemetry-subscriptions.js'
import { heartbeat } from '../../src/protocol/apis/heartbeat.js'
import { initProducerId } from '../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../src/protocol/apis/join-group.js'
import { leaveGroup } from '../../src/protocol/apis/leave-group.js'
import { listOffsets } from '../../src/protocol/apis/list-offsets.js'
import { metadata } from '../../src/protocol/apis/metadata.js'
import { offsetCommit } from '../../src/protocol/apis/offset-commit.js'
import { offsetFetch } from '../../src/protocol/apis/offset-fetch.js'
import { produce } from '../../src/protocol/apis/produce.js'
import { pushTelemetry } from '../../src/protocol/apis/push-telemetry.js'
import { saslAuthenticate } from '../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../src/protocol/apis/sasl-handshake.js'
import { syncGroup } from '../../src/protocol/apis/sync-group.js'
import { txnOffsetCommit } from '../../src/protocol/apis/txn-offset-commit.js'
import { loadSchemas, type ApiSchema } from '../golden/schemas/schema.js'

const APIS: readonly Api<unknown, unknown>[] = [
  addOffsetsToTxn,
  addPartitionsToTxn,
  apiVersions,
  createTopics,
  deleteTopics,
  describeCluster,
  endTxn,
  fetch,
  findCoordinator,
  getTelemetrySubscriptions,
  heartbeat,
  initProducerId,
  joinGroup,
  leaveGroup,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  produce,
  pushTelemetry,
  saslAuthenticate,
  saslHandshake,
  syncGroup,
  txnOffsetCommit,
]

/** Every API with what Kafka's own specification says of it. */
export function apisWithSchemas(): { api: Api<unknown, unknown>; schema: ApiSchema }[] {
  const byName = new Map(APIS.map((api) => [api.name, api]))
  const schemas = loadSchemas()
  if (schemas.length !== APIS.length) throw new Error(`${APIS.length} APIs, ${schemas.length} schemas`)
  return schemas.map((schema) => {
    const api = byName.get(schema.name)
    if (api === undefined) throw new Error(`no API ${schema.name}`)
    return { api, schema }
  })
}

export function versionsOf(api: Api<unknown, unknown>): number[] {
  return Array.from({ length: api.maxVersion - api.minVersion + 1 }, (_, i) => api.minVersion + i)
}
