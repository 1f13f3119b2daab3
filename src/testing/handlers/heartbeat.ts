import { heartbeat, type HeartbeatRequest, type HeartbeatResponse } from '../../protocol/apis/heartbeat.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'
import { groupProblem } from './coordination.js'

export const heartbeatHandler: Handler<HeartbeatRequest, HeartbeatResponse> = {
  api: heartbeat,

  answer(request, context) {
    const { cluster, throttleTimeMs } = context
    const group = cluster.groups.get(request.groupId)
    const errorCode = groupProblem(request.groupId, context) ?? group?.heartbeat(request) ?? codeOf('UNKNOWN_MEMBER_ID')
    return { throttleTimeMs, errorCode }
  },
}
