import { ErrorCodes } from '../../protocol/error-codes.js'
import type { ClusterNode } from '../cluster.js'
import { codeOf } from '../error-names.js'
import type { Partition } from '../topic.js'

/** Why a broker does not serve a partition that another one leads; undefined where it leads it itself. */
export function leadershipProblem({ leader, replicas }: Partition, { id, release }: ClusterNode): number | undefined {
  if (leader === id) return undefined
  return replicas.includes(id) ? ErrorCodes.NOT_LEADER_OR_FOLLOWER : codeOf(release.errorOfForeignPartition)
}
