import { InvalidConfigError } from '../../errors.js'
import { hasLoneSurrogate } from '../../lone-surrogate.js'
import type {
  TxnOffsetCommitRequest,
  TxnOffsetCommitResponse,
  TxnOffsetCommitTopic,
} from '../../protocol/apis/txn-offset-commit.js'
import { ZERO_UUID } from '../../protocol/byte-writer.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { isTopicName } from '../../topic-name.js'
import { nearestName } from '../../wording/nearest-name.js'
import { shown } from '../../wording/shown.js'
import { codesOf, decidingError, type PartitionCode } from './error-kinds.js'

/**
 * Which member of which consumer group the offsets are of, as any consumer library tells it. With member and generation,
 * a consumer that is not in the group any more is fenced (KIP-447, Kafka 2.5); what a library does not tell is left out.
 */
export interface GroupMetadata {
  readonly groupId: string
  /** Both or none of these. */
  readonly generationId?: number | null | undefined
  readonly memberId?: string | null | undefined
  /** Of a static member (`group.instance.id`). */
  readonly groupInstanceId?: string | null | undefined
}

/** How far a group has come in one partition. */
export interface GroupOffset {
  readonly topic: string
  readonly partition: number
  /** That of the next message to be read: one more than that of the last one that was. */
  readonly offset: bigint | number | string
  /** Of the last message that was read, where the consumer tells it; -1, as librdkafka has it, is none. */
  readonly leaderEpoch?: number | null | undefined
  /** A text to be kept with it. */
  readonly metadata?: string | null | undefined
}

type Member = Pick<TxnOffsetCommitRequest, 'groupId' | 'generationIdOrMemberEpoch' | 'memberId' | 'groupInstanceId'>
type Offset = TxnOffsetCommitTopic['partitions'][number]

const GROUP_FIELDS = ['groupId', 'generationId', 'memberId', 'groupInstanceId'] satisfies (keyof GroupMetadata)[]
const OFFSET_FIELDS = ['topic', 'partition', 'offset', 'leaderEpoch', 'metadata'] satisfies (keyof GroupOffset)[]
const MAX_OFFSET = 2n ** 63n - 1n
const MAX_INT32 = 0x7fffffff
const MAX_INT16 = 0x7fff
const TEXT = 'a string without lone surrogates, of at most 32,767 bytes'

/** What `sendOffsets()` was given, checked, and what of it is not committed yet. */
export class GroupOffsets {
  readonly member: Member
  private readonly pending = new Map<string, Map<number, Offset>>()

  /** @throws InvalidConfigError */
  constructor(group: GroupMetadata, offsets: readonly GroupOffset[]) {
    this.member = memberOf(group)
    if (!Array.isArray(offsets))
      throw refused('offsets', offsets, 'a list of { topic, partition, offset, leaderEpoch?, metadata? }')
    for (const offset of offsets as readonly GroupOffset[]) this.take(offset)
  }

  private take(given: GroupOffset): void {
    const read: Partial<GroupOffset> = given ?? {}
    checkNames('offsets', read, OFFSET_FIELDS)
    const { topic, partition, offset, leaderEpoch: epoch, metadata } = read
    const leaderEpoch = epoch ?? -1
    if (!isTopicName(topic)) throw refused('offsets: topic', topic, 'the name of a topic')
    if (!isInt32(partition)) throw refused('offsets: partition', partition, 'a whole number from 0')
    if (leaderEpoch !== -1 && !isInt32(leaderEpoch))
      throw refused('offsets: leaderEpoch', leaderEpoch, 'a whole number from 0')
    if (metadata !== undefined && metadata !== null && !isText(metadata))
      throw refused('offsets: metadata', metadata, TEXT)
    let partitions = this.pending.get(topic)
    if (partitions === undefined) this.pending.set(topic, (partitions = new Map<number, Offset>()))
    partitions.set(partition, {
      partitionIndex: partition,
      committedOffset: offsetOf(offset),
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata ?? '',
    })
  }

  get isDone(): boolean {
    return this.pending.size === 0
  }

  /** What is left to commit. */
  get topics(): TxnOffsetCommitTopic[] {
    return [...this.pending].map(([name, partitions]) => ({
      name,
      topicId: ZERO_UUID,
      partitions: [...partitions.values()],
    }))
  }

  /** Takes out what was committed; the error that decides about the rest, or `NONE`. What was not asked says nothing. */
  settle(answer: TxnOffsetCommitResponse): number {
    const codes: number[] = []
    const codeOf = codesOf(
      answer.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex, errorCode }): PartitionCode => [name, partitionIndex, errorCode]),
      ),
    )
    for (const { name, partitions } of this.topics) {
      for (const { partitionIndex } of partitions) {
        const code = codeOf(name, partitionIndex)
        if (code === ErrorCodes.NONE) this.committed(name, partitionIndex)
        else if (code !== undefined) codes.push(code)
      }
    }
    // What an answer leaves out is asked for again.
    if (codes.length === 0 && !this.isDone) return ErrorCodes.COORDINATOR_NOT_AVAILABLE
    return decidingError(codes)
  }

  private committed(topic: string, partition: number): void {
    const partitions = this.pending.get(topic)
    partitions?.delete(partition)
    if (partitions?.size === 0) this.pending.delete(topic)
  }
}

function memberOf(group: GroupMetadata): Member {
  if (typeof group !== 'object' || (group as unknown) === null)
    throw refused('groupMetadata', group, 'an object with the groupId of a consumer group')
  const given: Partial<GroupMetadata> = group
  checkNames('groupMetadata', given, GROUP_FIELDS)
  const { groupId, groupInstanceId } = given
  const generationId = given.generationId ?? -1
  const memberId = given.memberId ?? ''
  if (groupId === '' || !isText(groupId))
    throw refused('groupMetadata: groupId', groupId, `the id of a consumer group, ${TEXT}`)
  if (generationId !== -1 && !isInt32(generationId))
    throw refused('groupMetadata: generationId', generationId, 'a whole number from 0')
  if (!isText(memberId)) throw refused('groupMetadata: memberId', memberId, TEXT)
  if (groupInstanceId !== undefined && groupInstanceId !== null && !isText(groupInstanceId))
    throw refused('groupMetadata: groupInstanceId', groupInstanceId, TEXT)
  // As in Java: a generation of nobody would be refused by the group, whoever it is.
  if (generationId >= 0 && memberId === '')
    throw refused('groupMetadata: memberId', given.memberId, 'that of the member, since there is a generationId')
  // Nor is a member of no generation let in by a group that has any, though some libraries tell the one alone.
  if (generationId === -1 && memberId !== '')
    throw refused('groupMetadata: generationId', given.generationId, 'that of the member, since there is a memberId')
  return {
    groupId,
    generationIdOrMemberEpoch: generationId,
    memberId,
    groupInstanceId: groupInstanceId ?? null,
  }
}

/**
 * Libraries tell more of a group than is asked here, which is let be; but not a name so near that it must be a slip: without
 * member and generation, which may be left out, nobody finds out a consumer that has lost its partitions.
 */
function checkNames(what: string, given: object, fields: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (fields.includes(name)) continue
    const values = given as Record<string, unknown>
    // No field is an object: `members` of a group is no slip for `memberId`.
    if (typeof values[name] === 'object') continue
    const meant = nearestName(name, fields)
    if (meant !== undefined && values[meant] === undefined)
      throw new InvalidConfigError(`${what}: there is no ${shown(name)} in it: did you mean '${meant}'?`)
  }
}

function offsetOf(offset: unknown): bigint {
  const isWhole = typeof offset === 'number' && Number.isSafeInteger(offset)
  const isDigits = typeof offset === 'string' && /^\d{1,19}$/.test(offset)
  const value = typeof offset === 'bigint' || isWhole || isDigits ? BigInt(offset) : -1n
  if (value >= 0n && value <= MAX_OFFSET) return value
  throw refused('offsets: offset', offset, 'a whole number from 0, as bigint, number or digits')
}

function isInt32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_INT32
}

/** What the protocol can hold: else the request would be refused, or be about another group, again and again. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !hasLoneSurrogate(value) && Buffer.byteLength(value) <= MAX_INT16
}

function refused(what: string, given: unknown, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${what}: given was ${shown(given)}, allowed is ${allowed}`)
}
