import { codeOf } from '../error-names.js'
import type { RequestContext } from '../handler.js'

/** Why this broker does not act for a group or a transactional id: an injected error, or another broker coordinates. */
export function coordinationProblem(key: string, { cluster, broker, faults }: RequestContext): number | undefined {
  const injected = faults.errorFor()
  if (injected !== undefined) return injected.code
  return cluster.coordinatorOf(key) === broker.id ? undefined : codeOf('NOT_COORDINATOR')
}

/** The same for groups with members, whose id must not be empty. Offsets alone may be kept under an empty one. */
export function groupProblem(groupId: string, context: RequestContext): number | undefined {
  return (
    context.faults.errorFor()?.code ??
    (groupId === '' ? codeOf('INVALID_GROUP_ID') : coordinationProblem(groupId, context))
  )
}

/** The same for transactions. */
export function transactionalIdProblem(id: string, context: RequestContext): number | undefined {
  return context.faults.errorFor()?.code ?? (id === '' ? codeOf('INVALID_REQUEST') : coordinationProblem(id, context))
}
