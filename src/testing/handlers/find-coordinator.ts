import {
  findCoordinator,
  KEYS_FROM,
  type Coordinator,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from '../../protocol/apis/find-coordinator.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'

const SHARE_GROUPS_FROM = 6
const SHARE_GROUPS = 2

/** What keeps the state of each kind, by its number. */
const TOPIC_OF_TYPE = ['__consumer_offsets', '__transaction_state', '__share_group_state'] as const

/** Kafka's own words for the errors of this request. */
const TEXT_OF_ERROR: ReadonlyMap<string, string> = new Map([
  ['COORDINATOR_NOT_AVAILABLE', 'The coordinator is not available.'],
  [
    'INVALID_REQUEST',
    'This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.',
  ],
])

export const findCoordinatorHandler: Handler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  api: findCoordinator,

  answer: (request, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    coordinators: request.coordinatorKeys.map((key) => coordinator(request.keyType, key, context)),
  }),
}

function coordinator(keyType: number, key: string, { cluster, faults, version }: RequestContext): Coordinator {
  const named = version >= KEYS_FROM ? key : ''
  const none = (errorCode: number, errorMessage: string | null): Coordinator => ({
    key: named,
    nodeId: -1,
    host: '',
    port: -1,
    errorCode,
    errorMessage,
  })
  const injected = faults.errorFor()
  if (injected !== undefined) return none(injected.code, null)
  const failed = (error: string, isTold = true): Coordinator =>
    none(codeOf(error), isTold ? (TEXT_OF_ERROR.get(error) ?? null) : '')
  const topic = TOPIC_OF_TYPE[keyType]
  if (topic === undefined) return failed('INVALID_REQUEST')
  if (keyType === SHARE_GROUPS && (version < SHARE_GROUPS_FROM || !isShareKey(key))) {
    return failed('INVALID_REQUEST', version < KEYS_FROM)
  }
  const node = cluster.nodes.get(cluster.coordinatorOf(key))
  if (node === undefined) return failed('COORDINATOR_NOT_AVAILABLE', version < KEYS_FROM)
  cluster.useInternalTopic(topic)
  // Older brokers wrote the name of the error that is none.
  const errorMessage = version >= KEYS_FROM ? '' : 'NONE'
  return { key: named, nodeId: node.id, host: node.host, port: node.port, errorCode: 0, errorMessage }
}

/** Group, topic id, partition. */
function isShareKey(key: string): boolean {
  return /^.+:[A-Za-z0-9_-]{22}:\d+$/.test(key)
}
