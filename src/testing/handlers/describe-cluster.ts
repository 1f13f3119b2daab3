import {
  describeCluster,
  type DescribeClusterRequest,
  type DescribeClusterResponse,
} from '../../protocol/apis/describe-cluster.js'
import { OPERATIONS_NOT_REQUESTED } from '../../protocol/apis/metadata.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'
import { CLUSTER_OPERATIONS } from './metadata.js'

const BROKERS = 1
const CONTROLLERS = 2

export const describeClusterHandler: Handler<DescribeClusterRequest, DescribeClusterResponse> = {
  api: describeCluster,

  answer(request, { cluster, faults, throttleTimeMs, metadata }) {
    const problem = problemOfEndpoint(request.endpointType)
    const injected = faults.errorFor()
    if (injected !== undefined || problem !== undefined) {
      return {
        throttleTimeMs,
        errorCode: injected?.code ?? codeOf(problem?.error ?? 0),
        errorMessage: injected === undefined ? (problem?.message ?? null) : null,
        endpointType: BROKERS,
        clusterId: '',
        controllerId: -1,
        brokers: [],
        clusterAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
      }
    }
    const view = metadata()
    return {
      throttleTimeMs,
      errorCode: 0,
      errorMessage: null,
      endpointType: BROKERS,
      clusterId: cluster.id,
      controllerId: view.controllerId,
      brokers: view.brokers.map(({ nodeId, host, port, rack }) => ({
        brokerId: nodeId,
        host,
        port,
        rack,
        isFenced: false,
      })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? CLUSTER_OPERATIONS
        : OPERATIONS_NOT_REQUESTED,
    }
  },
}

function problemOfEndpoint(type: number): { readonly error: string; readonly message: string } | undefined {
  if (type === BROKERS) return undefined
  if (type !== CONTROLLERS) return { error: 'UNSUPPORTED_ENDPOINT_TYPE', message: `Unsupported endpoint type ${type}` }
  const message = 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER'
  return { error: 'MISMATCHED_ENDPOINT_TYPE', message }
}
