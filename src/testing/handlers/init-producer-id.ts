import {
  initProducerId,
  type InitProducerIdRequest,
  type InitProducerIdResponse,
} from '../../protocol/apis/init-producer-id.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'

export const initProducerIdHandler: Handler<InitProducerIdRequest, InitProducerIdResponse> = {
  api: initProducerId,

  answer(request, { cluster, broker, faults, throttleTimeMs }) {
    const failed = (errorCode: number): InitProducerIdResponse => response(throttleTimeMs, errorCode, -1n, -1)
    const injected = faults.errorFor()
    if (injected !== undefined) return failed(injected.code)
    const { transactionalId } = request
    // An idempotent producer gets a new id whatever it had, from any broker.
    if (transactionalId === null) return response(throttleTimeMs, 0, cluster.newProducerId(), 0)
    if (transactionalId === '') return failed(codeOf('INVALID_REQUEST'))
    if (cluster.coordinatorOf(transactionalId) !== broker.id) return failed(codeOf('NOT_COORDINATOR'))
    return failed(codeOf('COORDINATOR_NOT_AVAILABLE'))
  },
}

function response(
  throttleTimeMs: number,
  errorCode: number,
  producerId: bigint,
  producerEpoch: number,
): InitProducerIdResponse {
  return {
    throttleTimeMs,
    errorCode,
    producerId,
    producerEpoch,
    ongoingTxnProducerId: -1n,
    ongoingTxnProducerEpoch: -1,
  }
}
