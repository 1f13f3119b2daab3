import { leaveGroup, type LeaveGroupRequest, type LeaveGroupResponse } from '../../protocol/apis/leave-group.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'
import { groupProblem } from './coordination.js'

const MEMBERS_FROM = 3

export const leaveGroupHandler: Handler<LeaveGroupRequest, LeaveGroupResponse> = {
  api: leaveGroup,

  answer({ groupId, members }, context) {
    const { cluster, throttleTimeMs, version } = context
    const problem = groupProblem(groupId, context)
    if (problem !== undefined) return { throttleTimeMs, errorCode: problem, members: [] }
    const group = cluster.groups.get(groupId)
    const left = members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      errorCode: group?.leave(memberId, groupInstanceId) ?? codeOf('UNKNOWN_MEMBER_ID'),
    }))
    // One member alone has no answer of its own.
    if (version < MEMBERS_FROM) return { throttleTimeMs, errorCode: left[0]?.errorCode ?? 0, members: [] }
    return { throttleTimeMs, errorCode: 0, members: left }
  },
}
