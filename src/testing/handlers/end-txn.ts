import { endTxn, type EndTxnRequest, type EndTxnResponse } from '../../protocol/apis/end-txn.js'
import type { Handler } from '../handler.js'
import { transactionCode } from './claimed-transaction.js'
import { transactionalIdProblem } from './coordination.js'

const FENCED_FROM = 2
const EPOCH_RAISED_FROM = 5

export const endTxnHandler: Handler<EndTxnRequest, EndTxnResponse> = {
  api: endTxn,

  answer(request, context) {
    const { cluster, throttleTimeMs, version } = context
    const failed = (errorCode: number): EndTxnResponse => ({
      throttleTimeMs,
      errorCode,
      producerId: -1n,
      producerEpoch: -1,
    })
    const problem = transactionalIdProblem(request.transactionalId, context)
    if (problem !== undefined) return failed(problem)
    const ended = cluster.transactions.end(request, request.committed, version >= EPOCH_RAISED_FROM)
    if (typeof ended === 'string') return failed(transactionCode(ended, FENCED_FROM, context))
    return { throttleTimeMs, errorCode: 0, producerId: ended.producerId, producerEpoch: ended.producerEpoch }
  },
}
