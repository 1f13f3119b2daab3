import { joinGroup, type JoinGroupRequest, type JoinGroupResponse } from '../../protocol/apis/join-group.js'
import { codeOf } from '../error-names.js'
import { refusedJoin } from '../groups/group.js'
import type { Handler, RequestContext } from '../handler.js'
import { orAborted } from '../waiting.js'
import { groupProblem } from './coordination.js'

const MEMBER_ID_REQUIRED_FROM = 4
const SKIP_ASSIGNMENT_FROM = 9
const MAX_SESSION_TIMEOUT_MS = 1_800_000

export const joinGroupHandler: Handler<JoinGroupRequest, JoinGroupResponse> = {
  api: joinGroup,

  async answer(request, context) {
    const { cluster, broker, version, clientId, throttleTimeMs, signal } = context
    const problem = groupProblem(request.groupId, context) ?? sessionProblem(request, context)
    if (problem !== undefined) return { throttleTimeMs, ...refusedJoin(problem, request.memberId) }
    const { groups } = cluster
    if (groups.get(request.groupId) === undefined && request.memberId !== '') {
      return { throttleTimeMs, ...refusedJoin(codeOf('UNKNOWN_MEMBER_ID'), request.memberId) }
    }
    const joined = groups.getOrCreate(request.groupId).join(request, {
      clientId: clientId ?? '',
      memberIdRequired: version >= MEMBER_ID_REQUIRED_FROM,
      maySkipAssignment: version >= SKIP_ASSIGNMENT_FROM,
      mustSync: broker.release.dropsMembersThatDoNotSync,
      knowsInstances: broker.release.isKraft,
    })
    return { throttleTimeMs, ...(await orAborted(joined, signal)) }
  },
}

function sessionProblem({ sessionTimeoutMs }: JoinGroupRequest, { cluster }: RequestContext): number | undefined {
  const { minSessionTimeoutMs } = cluster.options
  const fits = sessionTimeoutMs >= minSessionTimeoutMs && sessionTimeoutMs <= MAX_SESSION_TIMEOUT_MS
  return fits ? undefined : codeOf('INVALID_SESSION_TIMEOUT')
}
