import { heartbeat } from '../../../src/protocol/apis/heartbeat.js'
import { joinGroup, type JoinGroupRequest, type JoinGroupResponse } from '../../../src/protocol/apis/join-group.js'
import { leaveGroup } from '../../../src/protocol/apis/leave-group.js'
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.js'
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.js'
import { syncGroup, type SyncGroupResponse } from '../../../src/protocol/apis/sync-group.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import type { RawClient } from './raw-client.js'

/** A member of a group that does what a consumer would, step by step. */
export class RawMember {
  memberId = ''
  generationId = -1
  /** Of JoinGroup; the others use such as were there at the same time. */
  joinVersion = 5

  constructor(
    readonly client: RawClient,
    readonly groupInstanceId: string | null = null,
    readonly groupId = 'readers',
  ) {}

  async join(options: Partial<JoinGroupRequest> = {}): Promise<JoinGroupResponse> {
    const joined = await this.client.call(joinGroup, this.joinVersion, {
      groupId: this.groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: this.memberId,
      groupInstanceId: this.groupInstanceId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('topics') }],
      reason: null,
      ...options,
    })
    this.memberId = joined.memberId
    if (joined.errorCode === 0) this.generationId = joined.generationId
    return joined
  }

  /** Joins, again with the id where one is given first. */
  async enter(options: Partial<JoinGroupRequest> = {}): Promise<JoinGroupResponse> {
    const joined = await this.join(options)
    return joined.errorCode === 79 ? this.join(options) : joined
  }

  async sync(assignments: Readonly<Record<string, string>> = {}): Promise<SyncGroupResponse> {
    return this.client.call(syncGroup, 3, {
      ...this.caller,
      protocolType: null,
      protocolName: null,
      assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: Buffer.from(text) })),
    })
  }

  async heartbeat(): Promise<number> {
    return (await this.client.call(heartbeat, 3, this.caller)).errorCode
  }

  async leave(): Promise<number | undefined> {
    const { groupId, memberId, groupInstanceId } = this
    const members = [{ memberId, groupInstanceId, reason: null }]
    return (await this.client.call(leaveGroup, 3, { groupId, members })).members[0]?.errorCode
  }

  async commit(topic: string, partition: number, offset: bigint): Promise<number | undefined> {
    const { generationId, ...caller } = this.caller
    const committed = {
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      commitTimestamp: -1,
      committedMetadata: 'note',
    }
    const response = await this.client.call(offsetCommit, 7, {
      ...caller,
      generationIdOrMemberEpoch: generationId,
      retentionTimeMs: -1,
      topics: [{ name: topic, topicId: ZERO_UUID, partitions: [committed] }],
    })
    return response.topics[0]?.partitions[0]?.errorCode
  }

  async fetchOffset(topic: string, partition: number, requireStable = false) {
    const topics = [{ name: topic, topicId: ZERO_UUID, partitionIndexes: [partition] }]
    const groups = [{ groupId: this.groupId, memberId: null, memberEpoch: -1, topics }]
    const response = await this.client.call(offsetFetch, 7, { groups, requireStable })
    const found = response.groups[0]?.topics[0]?.partitions[0]
    return { errorCode: found?.errorCode, offset: found?.committedOffset, metadata: found?.metadata }
  }

  private get caller() {
    const { groupId, generationId, memberId, groupInstanceId } = this
    return { groupId, generationId, memberId, groupInstanceId }
  }
}
