import type { JoinGroupRequest } from '../../protocol/apis/join-group.js'
import type { SyncGroupAssignment } from '../../protocol/apis/sync-group.js'
import type { Random } from '../../random.js'
import { codeOf } from '../error-names.js'
import type { Timer, Timers } from '../timers.js'
import { GroupOffsets } from './group-offsets.js'
import { Member, type Joined, type MemberTerms, type Synced } from './member.js'
import { PendingSyncs } from './pending-syncs.js'

/*
 *            a member joins            all have joined               the leader's assignments
 *   Empty ──────────────────▶ Preparing ───────────────▶ Completing ────────────────────────▶ Stable
 *     ▲                         │  ▲                         │                                  │
 *     └──── nobody has joined ──┘  └── a member joins, leaves or was not heard of for too long ─┘
 */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

/** Who asks, with what it believes of the group. */
export interface Caller {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
}

export interface JoinTerms {
  /** What member ids begin with. */
  readonly clientId: string
  /** A new member gets its id first and joins with that (KIP-394). */
  readonly memberIdRequired: boolean
  /** A leader that returns is told to leave the assignments as they are (KIP-814). */
  readonly maySkipAssignment: boolean
  /** Members that have joined must ask for their assignment before the rebalance time-out is over. */
  readonly mustSync: boolean
  /** Whoever says an instance id that is no member's is refused, whatever member id it has. */
  readonly knowsInstances: boolean
}

const NO_ASSIGNMENT = Buffer.alloc(0)
/**
 * How long the first members of a group that wait for no others wait for those who have an id and have not joined with
 * it yet: they may be gone. As long as Kafka waits by default.
 */
const PATIENCE_MS = 3_000

/** A classic consumer group: its members, which generation they are of, and how far they have read. */
export class Group {
  state: GroupState = 'Empty'
  generationId = 0
  readonly offsets = new GroupOffsets()
  private readonly members = new Map<string, Member>()
  /** Ids that were given out and have not joined yet. */
  private readonly promised = new Map<string, Timer>()
  private protocolType: string | null = null
  private protocolName: string | null = null
  private leaderId: string | null = null
  private rebalance: Timer | undefined
  /** The first members wait for more. */
  private delayed = false
  private readonly pendingSyncs: PendingSyncs
  private mustSync = false
  private knowsInstances = false

  constructor(
    readonly id: string,
    private readonly timers: Timers,
    private readonly random: Random,
    private readonly initialDelayMs: number,
  ) {
    this.pendingSyncs = new PendingSyncs(timers)
  }

  get memberIds(): string[] {
    return [...this.members.keys()]
  }

  join(request: JoinGroupRequest, terms: JoinTerms): Promise<Joined> {
    const { memberId, groupInstanceId } = request
    this.mustSync = terms.mustSync
    this.knowsInstances = terms.knowsInstances
    if (!this.accepts(request)) return this.refused('INCONSISTENT_GROUP_PROTOCOL', memberId)
    if (memberId === '') return this.joinAnew(request, terms)
    const promise = this.promised.get(memberId)
    if (promise !== undefined) {
      promise.clear()
      this.promised.delete(memberId)
      return this.admit(memberId, request)
    }
    const problem = this.problemOf({ memberId, groupInstanceId })
    if (problem !== undefined) return this.refused(problem, memberId)
    return this.joinAgain(this.members.get(memberId) as Member, request)
  }

  sync(
    caller: Caller,
    protocol: { type: string | null; name: string | null },
    assignments: readonly SyncGroupAssignment[],
  ): Promise<Synced> {
    const refused = (name: string): Promise<Synced> => Promise.resolve(this.synced(codeOf(name), NO_ASSIGNMENT))
    const problem = this.problemOf(caller) ?? this.problemOfGeneration(caller)
    if (problem !== undefined) return refused(problem)
    const differs = (own: string | null, told: string | null): boolean => told !== null && own !== told
    if (differs(this.protocolType, protocol.type) || differs(this.protocolName, protocol.name)) {
      return refused('INCONSISTENT_GROUP_PROTOCOL')
    }
    const member = this.members.get(caller.memberId) as Member
    this.heard(member)
    if (this.state === 'PreparingRebalance') return refused('REBALANCE_IN_PROGRESS')
    this.pendingSyncs.done(member.id)
    if (this.state === 'Stable') return Promise.resolve(this.synced(0, member.assignment))
    const synced = new Promise<Synced>((resolve) => (member.syncing = resolve))
    if (member.id === this.leaderId) this.assign(assignments)
    return synced
  }

  /** Returns an error code. */
  heartbeat(caller: Caller): number {
    const problem = this.problemOf(caller) ?? this.problemOfGeneration(caller)
    if (problem !== undefined) return codeOf(problem)
    this.heard(this.members.get(caller.memberId) as Member)
    return this.state === 'PreparingRebalance' ? codeOf('REBALANCE_IN_PROGRESS') : 0
  }

  /** A member goes: by its id, or, where that is empty, by its instance id. Returns an error code. */
  leave(memberId: string, groupInstanceId: string | null): number {
    const promise = this.promised.get(memberId)
    if (promise !== undefined) {
      promise.clear()
      this.promised.delete(memberId)
      this.completeIfAllJoined()
      return 0
    }
    const leaving = memberId === '' && groupInstanceId !== null ? (this.instance(groupInstanceId)?.id ?? '') : memberId
    const problem = this.problemOf({ memberId: leaving, groupInstanceId })
    if (problem !== undefined) return codeOf(problem)
    this.remove(this.members.get(leaving) as Member)
    return 0
  }

  /**
   * Whether the caller may commit offsets; an error code. Without members anyone may who claims to be none. What a
   * transaction commits does not wait for assignments.
   */
  commitProblem(caller: Caller, inTransaction: boolean): number {
    if (caller.generationId < 0 && this.state === 'Empty') return 0
    const problem = this.problemOf(caller) ?? this.problemOfGeneration(caller)
    if (problem !== undefined) return codeOf(problem)
    if (this.state === 'CompletingRebalance' && !inTransaction) return codeOf('REBALANCE_IN_PROGRESS')
    this.heard(this.members.get(caller.memberId) as Member)
    return 0
  }

  // Joining.

  /**
   * Whether it offers a protocol that all members know. As with Kafka these include itself, as it was when it joined last:
   * not even the only member comes to others at one go.
   */
  private accepts({ protocolType, protocols }: JoinGroupRequest): boolean {
    if (protocolType === '' || protocols.length === 0) return false
    if (this.members.size === 0) return true
    if (protocolType !== this.protocolType) return false
    const members = [...this.members.values()]
    return protocols.some(({ name }) => members.every((member) => member.supports(name)))
  }

  private joinAnew(request: JoinGroupRequest, terms: JoinTerms): Promise<Joined> {
    const { groupInstanceId } = request
    const memberId = `${groupInstanceId ?? terms.clientId}-${uuid(this.random)}`
    const known = groupInstanceId === null ? undefined : this.instance(groupInstanceId)
    if (known !== undefined) return this.replace(known, memberId, request, terms)
    if (groupInstanceId !== null || !terms.memberIdRequired) return this.admit(memberId, request)
    const expiry = this.timers.after(request.sessionTimeoutMs, () => {
      this.promised.delete(memberId)
      this.completeIfAllJoined()
    })
    this.promised.set(memberId, expiry)
    return this.refused('MEMBER_ID_REQUIRED', memberId)
  }

  private admit(memberId: string, request: JoinGroupRequest): Promise<Joined> {
    const member = new Member(memberId, request.groupInstanceId, termsOf(request))
    if (this.members.size === 0) this.protocolType = request.protocolType
    this.members.set(memberId, member)
    this.leaderId ??= memberId
    const joined = this.await(member)
    this.prepareRebalance()
    return joined
  }

  private joinAgain(member: Member, request: JoinGroupRequest): Promise<Joined> {
    const same = member.offersTheSameAs(request.protocols)
    const settled = this.state === 'CompletingRebalance' || (this.state === 'Stable' && member.id !== this.leaderId)
    if (settled && same) {
      // Its answer was lost on the way.
      this.heard(member)
      return Promise.resolve(this.joined(member))
    }
    member.terms = termsOf(request)
    const joined = this.await(member)
    this.prepareRebalance()
    return joined
  }

  /** A static member returns under a new id, and keeps its part if it can (KIP-345). */
  private replace(known: Member, memberId: string, request: JoinGroupRequest, terms: JoinTerms): Promise<Joined> {
    const member = new Member(memberId, request.groupInstanceId, termsOf(request))
    member.assignment = known.assignment
    const wasLeader = this.leaderId === known.id
    this.forget(known, 'FENCED_INSTANCE_ID')
    this.members.set(memberId, member)
    if (wasLeader) this.leaderId = memberId
    // What it offers may have changed, as long as the same is chosen.
    if (this.state !== 'Stable' || this.vote() !== this.protocolName) {
      const joined = this.await(member)
      this.prepareRebalance()
      return joined
    }
    this.heard(member)
    const joined = this.joined(member)
    if (!wasLeader) return Promise.resolve(joined)
    if (terms.maySkipAssignment) return Promise.resolve({ ...joined, skipAssignment: true })
    // An older client that hears it leads would assign anew: it is told that its former self still does.
    return Promise.resolve({ ...joined, leader: known.id, members: [] })
  }

  private await(member: Member): Promise<Joined> {
    member.session?.clear()
    member.joining?.(this.refusal('UNKNOWN_MEMBER_ID', member.id))
    return new Promise((resolve) => (member.joining = resolve))
  }

  // Rebalancing.

  private prepareRebalance(): void {
    if (this.state === 'PreparingRebalance') return this.completeIfAllJoined()
    for (const member of this.members.values()) {
      if (this.state === 'CompletingRebalance') member.assignment = NO_ASSIGNMENT
      this.answerSync(member, this.synced(codeOf('REBALANCE_IN_PROGRESS'), NO_ASSIGNMENT))
    }
    this.pendingSyncs.end()
    const first = this.state === 'Empty'
    this.state = 'PreparingRebalance'
    this.delayed = first && this.initialDelayMs > 0
    const ms = first ? this.initialDelayMs || PATIENCE_MS : this.rebalanceTimeoutMs
    this.rebalance = this.timers.after(ms, () => this.completeJoin())
    this.completeIfAllJoined()
  }

  private get rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map(({ terms }) => terms.rebalanceTimeoutMs))
  }

  private completeIfAllJoined(): void {
    if (this.state !== 'PreparingRebalance' || this.delayed || this.promised.size > 0) return
    if ([...this.members.values()].every(({ joining }) => joining !== undefined)) this.completeJoin()
  }

  /** Who has not joined by now is out, but for static members. */
  private completeJoin(): void {
    this.rebalance?.clear()
    this.delayed = false
    for (const member of this.members.values()) {
      if (member.joining === undefined && member.instanceId === null) this.forget(member, 'UNKNOWN_MEMBER_ID')
    }
    this.generationId++
    if (this.members.size === 0) {
      this.state = 'Empty'
      this.protocolName = null
      return
    }
    this.state = 'CompletingRebalance'
    this.protocolName = this.vote()
    const leader = this.members.get(this.leaderId ?? '')
    if (leader?.joining === undefined) this.leaderId = this.anyWhoJoined()
    if (this.mustSync) {
      this.pendingSyncs.begin(this.members.keys(), this.rebalanceTimeoutMs, (late) => this.removeAll(late))
    }
    for (const member of this.members.values()) {
      const answer = member.joining
      member.joining = undefined
      this.heard(member)
      answer?.(this.joined(member))
    }
  }

  private anyWhoJoined(): string | null {
    const members = [...this.members.values()]
    return (members.find(({ joining }) => joining !== undefined) ?? members[0])?.id ?? null
  }

  /** The protocol most members prefer of those that all know. */
  private vote(): string {
    const members = [...this.members.values()]
    const votes = new Map<string, number>()
    for (const { terms } of members) {
      const choice = terms.protocols.find(({ name }) => members.every((member) => member.supports(name)))
      if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
    }
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), ['', 0] as [string, number])[0]
  }

  private assign(assignments: readonly SyncGroupAssignment[]): void {
    this.state = 'Stable'
    for (const member of this.members.values()) {
      const own = assignments.find(({ memberId }) => memberId === member.id)
      member.assignment = Buffer.from(own?.assignment ?? NO_ASSIGNMENT)
      this.answerSync(member, this.synced(0, member.assignment))
    }
  }

  // Members.

  /** It is alive: from now on its session counts anew. */
  private heard(member: Member): void {
    member.session?.clear()
    if (member.joining !== undefined) return
    member.session = this.timers.after(member.terms.sessionTimeoutMs, () => this.remove(member))
  }

  private remove(member: Member): void {
    this.removeAll([member.id])
  }

  private removeAll(ids: readonly string[]): void {
    for (const id of ids) this.forget(this.members.get(id) as Member, 'UNKNOWN_MEMBER_ID')
    this.prepareRebalance()
  }

  private forget(member: Member, why: string): void {
    member.session?.clear()
    this.members.delete(member.id)
    this.pendingSyncs.done(member.id)
    if (this.leaderId === member.id) this.leaderId = this.anyWhoJoined()
    member.joining?.(this.refusal(why, member.id))
    member.joining = undefined
    this.answerSync(member, this.synced(codeOf(why), NO_ASSIGNMENT))
  }

  private instance(instanceId: string): Member | undefined {
    return [...this.members.values()].find((member) => member.instanceId === instanceId)
  }

  private problemOf({ memberId, groupInstanceId }: Omit<Caller, 'generationId'>): string | undefined {
    const instance = groupInstanceId === null ? undefined : this.instance(groupInstanceId)
    if (instance !== undefined && instance.id !== memberId) return 'FENCED_INSTANCE_ID'
    if (instance === undefined && groupInstanceId !== null && this.knowsInstances) return 'UNKNOWN_MEMBER_ID'
    return this.members.has(memberId) ? undefined : 'UNKNOWN_MEMBER_ID'
  }

  private problemOfGeneration({ generationId }: Caller): string | undefined {
    return generationId === this.generationId ? undefined : 'ILLEGAL_GENERATION'
  }

  // Answers.

  private joined(member: Member): Joined {
    const protocolName = this.protocolName ?? ''
    return {
      errorCode: 0,
      memberId: member.id,
      generationId: this.generationId,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader: this.leaderId ?? '',
      skipAssignment: false,
      members:
        member.id === this.leaderId
          ? [...this.members.values()].map((one) => ({
              memberId: one.id,
              groupInstanceId: one.instanceId,
              metadata: one.metadataFor(protocolName),
            }))
          : [],
    }
  }

  private refused(errorName: string, memberId: string): Promise<Joined> {
    return Promise.resolve(this.refusal(errorName, memberId))
  }

  private refusal(errorName: string, memberId: string): Joined {
    return refusedJoin(codeOf(errorName), memberId)
  }

  private synced(errorCode: number, assignment: Buffer): Synced {
    const { protocolType, protocolName } = this
    return { errorCode, assignment, ...(errorCode === 0 ? { protocolType, protocolName } : NO_PROTOCOL) }
  }

  private answerSync(member: Member, synced: Synced): void {
    const answer = member.syncing
    member.syncing = undefined
    answer?.(synced)
  }
}

const NO_PROTOCOL = { protocolType: null, protocolName: null } as const

/** The answer to a JoinGroup that changes nothing. */
export function refusedJoin(errorCode: number, memberId: string): Joined {
  return { errorCode, memberId, generationId: -1, ...NO_PROTOCOL, leader: '', skipAssignment: false, members: [] }
}

function termsOf({ sessionTimeoutMs, rebalanceTimeoutMs, protocols }: JoinGroupRequest): MemberTerms {
  return {
    sessionTimeoutMs,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
    // Their bytes are views of the request.
    protocols: protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
  }
}

/** In the manner of Java's `UUID`s, which Kafka takes for the ids of members. */
function uuid(random: Random): string {
  return random
    .bytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
