import {
  describeCluster,
  type DescribeClusterRequest,
  type DescribeClusterResponse,
} from '../../protocol/apis/describe-cluster.js'
import { OPERATIONS_NOT_REQUESTED } from '../../protocol/apis/metadata.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'

const BROKERS = 1

export const describeClusterHandler: Handler<DescribeClusterRequest, DescribeClusterResponse> = {
  api: describeCluster,

  answer(request, { cluster, faults, throttleTimeMs, metadata }) {
    const wrongEndpoint = request.endpointType === BROKERS ? 0 : codeOf('MISMATCHED_ENDPOINT_TYPE')
    const view = metadata()
    return {
      throttleTimeMs,
      errorCode: faults.errorFor()?.code ?? wrongEndpoint,
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
      clusterAuthorizedOperations: OPERATIONS_NOT_REQUESTED,
    }
  },
}
