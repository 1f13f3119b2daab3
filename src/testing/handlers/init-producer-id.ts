import {
  initProducerId,
  type InitProducerIdRequest,
  type InitProducerIdResponse,
} from '../../protocol/apis/init-producer-id.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'
import { transactionCode } from './claimed-transaction.js'

const FENCED_FROM = 4
/** transaction.max.timeout.ms. */
const MAX_TIMEOUT_MS = 900_000

export const initProducerIdHandler: Handler<InitProducerIdRequest, InitProducerIdResponse> = {
  api: initProducerId,

  answer(request, context) {
    const { cluster, broker, faults, throttleTimeMs } = context
    const failed = (errorCode: number): InitProducerIdResponse => response(throttleTimeMs, errorCode, -1n, -1)
    const injected = faults.errorFor()
    if (injected !== undefined) return failed(injected.code)
    const { transactionalId, producerId, producerEpoch } = request
    // Both are told, or neither.
    if ((producerId === -1n) !== (producerEpoch === -1)) return failed(codeOf('INVALID_REQUEST'))
    // An idempotent producer gets a new id whatever it had, from any broker.
    if (transactionalId === null) return response(throttleTimeMs, 0, cluster.newProducerId(), 0)
    if (transactionalId === '') return failed(codeOf('INVALID_REQUEST'))
    const { transactionTimeoutMs } = request
    if (transactionTimeoutMs <= 0 || transactionTimeoutMs > MAX_TIMEOUT_MS)
      return failed(codeOf('INVALID_TRANSACTION_TIMEOUT'))
    if (cluster.coordinatorOf(transactionalId) !== broker.id) return failed(codeOf('NOT_COORDINATOR'))
    const claim = producerId === -1n ? undefined : { producerId, producerEpoch }
    const isPartTwo = broker.release.transactionVersion === 2
    const found = cluster.transactions.init(transactionalId, transactionTimeoutMs, claim, isPartTwo)
    if (typeof found === 'string') return failed(transactionCode(found, FENCED_FROM, context))
    return response(throttleTimeMs, 0, found.producerId, found.producerEpoch)
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
