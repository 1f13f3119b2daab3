import { syncGroup, type SyncGroupRequest, type SyncGroupResponse } from '../../protocol/apis/sync-group.js'
import { codeOf } from '../error-names.js'
import type { Handler } from '../handler.js'
import { orAborted } from '../waiting.js'
import { groupProblem } from './coordination.js'

/** From this version on a member says which protocol it means. */
const PROTOCOL_FROM = 5

export const syncGroupHandler: Handler<SyncGroupRequest, SyncGroupResponse> = {
  api: syncGroup,

  async answer(request, context) {
    const { cluster, throttleTimeMs, signal, version } = context
    const { groupId, protocolType, protocolName, assignments } = request
    const group = cluster.groups.get(groupId)
    const unnamed = version >= PROTOCOL_FROM && (protocolType === null || protocolName === null)
    const problem =
      groupProblem(groupId, context) ??
      (unnamed ? codeOf('INCONSISTENT_GROUP_PROTOCOL') : undefined) ??
      (group === undefined ? codeOf('UNKNOWN_MEMBER_ID') : undefined)
    if (group === undefined || problem !== undefined) {
      const assignment = Buffer.alloc(0)
      return { throttleTimeMs, errorCode: problem ?? 0, protocolType: null, protocolName: null, assignment }
    }
    const synced = group.sync(request, { type: protocolType, name: protocolName }, assignments)
    return { throttleTimeMs, ...(await orAborted(synced, signal)) }
  },
}
