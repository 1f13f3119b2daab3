import { codeOf } from '../error-names.js'
import type { RequestContext } from '../handler.js'
import type { Claim, TransactionErrorName } from '../transactions/all-transactions.js'
import type { Transaction } from '../transactions/transaction.js'
import { transactionalIdProblem } from './coordination.js'

/** The claimed transaction, or the error code to answer. `fencedFrom` is the first version that has PRODUCER_FENCED. */
export function claimedTransaction(claim: Claim, fencedFrom: number, context: RequestContext): Transaction | number {
  const problem = transactionalIdProblem(claim.transactionalId, context)
  if (problem !== undefined) return problem
  const found = context.cluster.transactions.find(claim)
  return typeof found === 'string' ? transactionCode(found, fencedFrom, context) : found
}

/** Older versions know a fenced producer by INVALID_PRODUCER_EPOCH. */
export function transactionCode(error: TransactionErrorName, fencedFrom: number, { version }: RequestContext): number {
  return codeOf(error === 'PRODUCER_FENCED' && version < fencedFrom ? 'INVALID_PRODUCER_EPOCH' : error)
}
