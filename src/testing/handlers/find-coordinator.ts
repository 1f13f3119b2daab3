import {
  findCoordinator,
  type Coordinator,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from '../../protocol/apis/find-coordinator.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { codeOf } from '../error-names.js'
import type { Handler, RequestContext } from '../handler.js'

const GROUPS = 0
const TRANSACTIONS = 1
const KEYS_FROM = 4

export const findCoordinatorHandler: Handler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  api: findCoordinator,

  answer: (request, context) => ({
    throttleTimeMs: context.throttleTimeMs,
    coordinators: request.coordinatorKeys.map((key) => coordinator(request.keyType, key, context)),
  }),
}

function coordinator(keyType: number, key: string, { cluster, faults, version }: RequestContext): Coordinator {
  const named = version >= KEYS_FROM ? key : ''
  const none = (errorCode: number): Coordinator => ({
    key: named,
    nodeId: -1,
    host: '',
    port: -1,
    errorCode,
    errorMessage: null,
  })
  const injected = faults.errorFor()
  if (injected !== undefined) return none(injected.code)
  if (keyType !== GROUPS && keyType !== TRANSACTIONS) return none(ErrorCodes.INVALID_REQUEST)
  const node = cluster.nodes.get(cluster.coordinatorOf(key))
  if (node === undefined) return none(codeOf('COORDINATOR_NOT_AVAILABLE'))
  return { key: named, nodeId: node.id, host: node.host, port: node.port, errorCode: 0, errorMessage: null }
}
