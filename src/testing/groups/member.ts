import type { JoinGroupProtocol } from '../../protocol/apis/join-group.js'
import type { Timer } from '../timers.js'

/** What a member gets that has joined. */
export interface Joined {
  readonly errorCode: number
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly members: readonly JoinedMember[]
}

/** A member as the leader of its group is told of it. */
export interface JoinedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly metadata: Buffer
}

/** What a member gets that asks for its assignment. */
export interface Synced {
  readonly errorCode: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

export interface MemberTerms {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: readonly JoinGroupProtocol[]
}

/** A consumer in a group. */
export class Member {
  assignment: Buffer = Buffer.alloc(0)
  /** Answers its JoinGroup, while that waits. */
  joining: ((joined: Joined) => void) | undefined
  /** Answers its SyncGroup, while that waits. */
  syncing: ((synced: Synced) => void) | undefined
  /** Goes off when it was not heard of for too long; not set while the group owes it the answer to a JoinGroup. */
  session: Timer | undefined

  constructor(
    readonly id: string,
    readonly instanceId: string | null,
    public terms: MemberTerms,
  ) {}

  supports(protocol: string): boolean {
    return this.terms.protocols.some(({ name }) => name === protocol)
  }

  metadataFor(protocol: string): Buffer {
    return this.terms.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0)
  }

  offersTheSameAs(protocols: readonly JoinGroupProtocol[]): boolean {
    const own = this.terms.protocols
    return (
      own.length === protocols.length &&
      own.every(({ name, metadata }, at) => name === protocols[at]?.name && metadata.equals(protocols[at].metadata))
    )
  }
}
