import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../../src/index.js'
import {
  GroupOffsets,
  type GroupMetadata,
  type GroupOffset,
} from '../../../../src/producer/transactions/group-offsets.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'

const GROUP = { groupId: 'readers' }
const OFFSET = { topic: 'in', partition: 0, offset: 5n }

const answer = (codes: readonly (readonly [partition: number, errorCode: number])[]) => ({
  throttleTimeMs: 0,
  topics: [
    {
      name: 'in',
      topicId: ZERO_UUID,
      partitions: codes.map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
    },
  ],
})

describe('the offsets of a group', () => {
  it.each([5n, 5, '5'])('are taken as consumers tell them: %o', (offset) => {
    const [topic] = new GroupOffsets(GROUP, [{ ...OFFSET, offset }]).topics
    expect(topic).toMatchObject({
      name: 'in',
      partitions: [{ partitionIndex: 0, committedOffset: 5n, committedLeaderEpoch: -1, committedMetadata: '' }],
    })
  })

  it.each([null, undefined, -1])(
    'have no leader epoch where it is %o, as consumers have it for none',
    (leaderEpoch) => {
      const [topic] = new GroupOffsets(GROUP, [{ ...OFFSET, leaderEpoch, metadata: null }]).topics
      expect(topic?.partitions[0]).toMatchObject({ committedLeaderEpoch: -1, committedMetadata: '' })
    },
  )

  it('are of nobody where null is told of a member, as by a consumer that is in no group yet', () => {
    const told = { groupId: 'readers', generationId: null, memberId: null, groupInstanceId: null }
    expect(new GroupOffsets(told, []).member).toEqual(new GroupOffsets(GROUP, []).member)
  })

  it('are of the member that is told, and of nobody where none is', () => {
    const told = { groupId: 'readers', generationId: 3, memberId: 'm', groupInstanceId: 'i' }
    expect(new GroupOffsets(told, []).member).toEqual({
      groupId: 'readers',
      generationIdOrMemberEpoch: 3,
      memberId: 'm',
      groupInstanceId: 'i',
    })
    expect(new GroupOffsets(GROUP, []).member).toMatchObject({ generationIdOrMemberEpoch: -1, memberId: '' })
  })

  it.each<[unknown, RegExp]>([
    [undefined, /^groupMetadata: given was undefined, allowed is an object with the groupId/],
    ['readers', /^groupMetadata: given was 'readers', allowed is an object with the groupId/],
    [{ groupId: undefined }, /^groupMetadata: groupId: given was undefined/],
    [{ groupId: '' }, /groupId: given was ''/],
    [{ groupId: 7 }, /groupId: given was 7/],
    [{ groupId: 'g\ud800' }, /groupId: given was .*, allowed is .* without lone surrogates, of at most 32,767 bytes$/],
    [{ groupId: 'ü'.repeat(16_384) }, /groupId: given was .* at most 32,767 bytes$/],
    [{ groupId: 'g', memberId: '\udc00' }, /memberId: given was /],
    [{ groupId: 'g', groupInstanceId: 'i'.repeat(32_768) }, /groupInstanceId: given was /],
    [{ groupId: 'g', generationId: 1.5 }, /generationId: given was 1\.5/],
    [{ groupId: 'g', generationId: 1 }, /memberId: given was undefined/],
    [{ groupId: 'g', memberId: 7 }, /memberId: given was 7/],
    [{ groupId: 'g', memberId: 'm' }, /generationId: given was undefined, allowed is that of the member, since/],
    [{ groupId: 'g', memberId: 'm', generationId: -1 }, /generationId: given was -1, allowed is that of the member/],
    [{ groupId: 'g', groupInstanceId: 7 }, /groupInstanceId: given was 7/],
    [
      { groupId: 'g', generationID: 3, memberID: 'm' },
      /^groupMetadata: there is no 'generationID' in it: .* 'generationId'\?$/,
    ],
    [{ group_id: 'g' }, /^groupMetadata: there is no 'group_id' in it: did you mean 'groupId'\?$/],
    [{ groupId: 'g', group_instance_id: 'i' }, /'group_instance_id' in it: did you mean 'groupInstanceId'/],
  ])('are refused for %o', (group, message) => {
    const make = () => new GroupOffsets(group as GroupMetadata, [])
    expect(make).toThrow(InvalidConfigError)
    expect(make).toThrow(message)
  })

  it.each<[unknown, RegExp]>([
    [{ ...OFFSET, topic: '' }, /topic: given was ''/],
    [{ ...OFFSET, partition: -1 }, /partition: given was -1/],
    [{ ...OFFSET, offset: -1n }, /offset: given was -1/],
    [{ ...OFFSET, offset: 'x' }, /offset: given was 'x'/],
    [{ ...OFFSET, offset: 2 ** 53 }, /offset: given was 9007199254740992/],
    [{ ...OFFSET, leaderEpoch: 'x' }, /leaderEpoch: given was 'x'/],
    [{ ...OFFSET, topic: 'in\ud800' }, /topic: given was /],
    [{ ...OFFSET, metadata: '\ud800' }, /metadata: given was /],
    [{ ...OFFSET, metadata: 7 }, /metadata: given was 7/],
    [{ ...OFFSET, metaData: 'x' }, /^offsets: there is no 'metaData' in it: did you mean 'metadata'\?$/],
    [{ ...OFFSET, leader_epoch: 3 }, /^offsets: there is no 'leader_epoch' in it: did you mean 'leaderEpoch'\?$/],
    [null, /topic: given was undefined/],
  ])('that are %o are refused', (offset, message) => {
    expect(() => new GroupOffsets(GROUP, [offset as GroupOffset])).toThrow(message)
  })

  it('may come with whatever else a library tells, and from a class with accessors', () => {
    class Told {
      _memberId = 'm'
      get memberId() {
        return this._memberId
      }
      readonly groupId = 'g'
      readonly generationId = 3
      readonly leaderId = 'm'
      readonly protocol = 'range'
    }
    const message = { ...OFFSET, offsets: [1], key: 'k', value: 'v', timestamp: 1, headers: {} }
    const offsets = new GroupOffsets(new Told(), [message])
    expect(offsets.member).toMatchObject({ groupId: 'g', memberId: 'm', generationIdOrMemberEpoch: 3 })
  })

  it('may come with what kafkajs and others tell of a group: the members that it has', () => {
    const told = {
      errorCode: 0,
      groupId: 'g',
      members: [],
      protocol: 'range',
      protocolType: 'consumer',
      state: 'Stable',
    }
    expect(new GroupOffsets(told, []).member).toMatchObject({ groupId: 'g', memberId: '' })
  })

  it('that are committed are not asked for again with the others', () => {
    const offsets = new GroupOffsets(GROUP, [OFFSET, { ...OFFSET, partition: 1 }])
    expect(
      offsets.settle(
        answer([
          [0, 0],
          [1, 14],
        ]),
      ),
    ).toBe(14)
    expect(offsets.topics).toMatchObject([{ partitions: [{ partitionIndex: 1 }] }])
    expect(offsets.settle(answer([[1, 0]]))).toBe(0)
    expect(offsets.isDone).toBe(true)
  })

  it('fail by what is final, whatever else passes', () => {
    const offsets = new GroupOffsets(GROUP, [OFFSET, { ...OFFSET, partition: 1 }])
    const mixed = answer([
      [0, 14],
      [1, 22],
    ])
    expect(offsets.settle(mixed)).toBe(22)
  })

  it('fail by nothing that a broker says of a partition it was not asked for', () => {
    const unasked = answer([
      [0, 0],
      [7, 29],
    ])
    expect(new GroupOffsets(GROUP, [OFFSET]).settle(unasked)).toBe(0)
  })

  it('that an answer leaves out are asked for again', () => {
    expect(new GroupOffsets(GROUP, [OFFSET]).settle(answer([]))).toBe(15)
  })
})
