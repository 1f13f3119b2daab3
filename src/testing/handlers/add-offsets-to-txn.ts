import {
  addOffsetsToTxn,
  type AddOffsetsToTxnRequest,
  type AddOffsetsToTxnResponse,
} from '../../protocol/apis/add-offsets-to-txn.js'
import type { Handler } from '../handler.js'
import { claimedTransaction } from './claimed-transaction.js'

const FENCED_FROM = 2

export const addOffsetsToTxnHandler: Handler<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse> = {
  api: addOffsetsToTxn,

  answer(request, context) {
    const { cluster, throttleTimeMs } = context
    const transaction = claimedTransaction(request, FENCED_FROM, context)
    if (typeof transaction === 'number') return { throttleTimeMs, errorCode: transaction }
    cluster.transactions.addGroup(transaction, request.groupId)
    return { throttleTimeMs, errorCode: 0 }
  },
}
