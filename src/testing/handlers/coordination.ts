import { codeOf } from '../error-names.js'
import type { RequestContext } from '../handler.js'

/** Why this broker does not act for a group or a transactional id: an injected error, or another broker coordinates. */
export function coordinationProblem(key: string, { cluster, broker, faults }: RequestContext): number | undefined {
  const injected = faults.errorFor()
  if (injected !== undefined) return injected.code
  return cluster.coordinatorOf(key) === broker.id ? undefined : codeOf('NOT_COORDINATOR')
}

/** The same for groups, whose id must not be empty. */
export function groupProblem(groupId: string, context: RequestContext): number | undefined {
  const problem = coordinationProblem(groupId, context)
  return problem ?? (groupId === '' ? codeOf('INVALID_GROUP_ID') : undefined)
}
