import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { connectTo, startKafka } from '../support/cluster.js'
import { RawMember } from '../support/groups.js'

const NOT_COORDINATOR = 16
const ILLEGAL_GENERATION = 22
const INCONSISTENT_GROUP_PROTOCOL = 23
const INVALID_GROUP_ID = 24
const UNKNOWN_MEMBER_ID = 25
const INVALID_SESSION_TIMEOUT = 26
const REBALANCE_IN_PROGRESS = 27
const MEMBER_ID_REQUIRED = 79
const FENCED_INSTANCE_ID = 82

async function start(): Promise<EmbeddedKafka> {
  return startKafka({ topics: { orders: { partitions: 2 } }, minSessionTimeoutMs: 20 })
}

async function member(kafka: EmbeddedKafka, instanceId: string | null = null): Promise<RawMember> {
  return new RawMember(await connectTo(kafka), instanceId)
}

/** Two members, the first of which leads, with their assignments. */
async function pair(kafka: EmbeddedKafka): Promise<[RawMember, RawMember]> {
  const [leader, follower] = [await member(kafka), await member(kafka)]
  await leader.enter()
  await leader.sync()
  expect((await follower.join()).errorCode).toBe(MEMBER_ID_REQUIRED)
  const [led] = await Promise.all([rejoin(leader), follower.join()])
  expect(led.members.map(({ memberId }) => memberId).sort()).toEqual([leader.memberId, follower.memberId].sort())
  const [first, second] = await Promise.all([
    leader.sync({ [leader.memberId]: 'left', [follower.memberId]: 'right' }),
    follower.sync(),
  ])
  expect([first.assignment.toString(), second.assignment.toString()]).toEqual(['left', 'right'])
  return [leader, follower]
}

/** Joins again as soon as a heartbeat says so. */
async function rejoin(member: RawMember, terms: { rebalanceTimeoutMs?: number } = {}) {
  while ((await member.heartbeat()) !== REBALANCE_IN_PROGRESS);
  return member.join(terms)
}

describe('members that have joined and do not sync', () => {
  it('are out when the rebalance time-out is over, and the others begin anew', async () => {
    const kafka = await start()
    const terms = { rebalanceTimeoutMs: 1_000 }
    const [leader, follower] = [await member(kafka), await member(kafka)]
    await leader.enter(terms)
    await leader.sync()
    await follower.join(terms)
    await Promise.all([rejoin(leader, terms), follower.join(terms)])
    // The follower waits for what the leader never sends.
    expect((await follower.sync()).errorCode).toBe(REBALANCE_IN_PROGRESS)
    const joined = await follower.join(terms)
    expect([joined.members.length, joined.leader]).toEqual([1, follower.memberId])
    expect(await leader.heartbeat()).toBe(UNKNOWN_MEMBER_ID)
  })

  it('stay before Kafka 2.8', async () => {
    const kafka = await startKafka({ release: '1.1' })
    const slow = await member(kafka)
    slow.joinVersion = 2
    await slow.enter({ rebalanceTimeoutMs: 0 })
    // Longer than the time-out: nothing tells of what does not happen.
    await delay(20)
    expect(kafka.groups.map(({ members }) => members)).toEqual([[slow.memberId]])
  })
})

describe('a consumer group', () => {
  it('gives a new member its id first, from version 4 of JoinGroup on', async () => {
    const kafka = await start()
    const alone = await member(kafka)
    const refused = await alone.join()
    expect(refused).toMatchObject({ errorCode: MEMBER_ID_REQUIRED, generationId: -1 })
    expect(refused.memberId).toMatch(/^raw-/)
    const joined = await alone.join()
    const led = {
      errorCode: 0,
      generationId: 1,
      leader: refused.memberId,
      memberId: refused.memberId,
      protocolName: 'range',
    }
    expect(joined).toMatchObject(led)
    expect(joined.members.map(({ metadata }) => metadata.toString())).toEqual(['topics'])
    const older = await member(kafka)
    older.joinVersion = 3
    const [, second] = await Promise.all([rejoin(alone), older.join()])
    expect(second).toMatchObject({ errorCode: 0, generationId: 2, leader: alone.memberId, members: [] })
  })

  it('hands the assignments of its leader to each member', async () => {
    await pair(await start())
  })

  it('keeps offsets, which the members of its generation alone may commit', async () => {
    const kafka = await start()
    const [leader, follower] = await pair(kafka)
    expect(await leader.fetchOffset('orders', 0)).toEqual({ errorCode: 0, offset: -1n, metadata: '' })
    expect(await leader.commit('orders', 0, 17n)).toBe(0)
    expect(await follower.fetchOffset('orders', 0)).toEqual({ errorCode: 0, offset: 17n, metadata: 'note' })
    expect(await leader.commit('orders', 9, 17n)).toBe(3)
    const stranger = await member(kafka)
    expect(await stranger.commit('orders', 0, 18n)).toBe(UNKNOWN_MEMBER_ID)
    leader.generationId--
    expect(await leader.commit('orders', 0, 18n)).toBe(ILLEGAL_GENERATION)
    expect(kafka.committedOffsets('readers')).toEqual([
      { topic: 'orders', partition: 0, offset: 17n, leaderEpoch: -1, metadata: 'note' },
    ])
  })

  it('lets anyone commit while it has no members, and tells all offsets where none is named', async () => {
    const kafka = await start()
    const simple = await member(kafka)
    expect([await simple.commit('orders', 0, 1n), await simple.commit('orders', 1, 2n)]).toEqual([0, 0])
    const groups = [{ groupId: 'readers', memberId: null, memberEpoch: -1, topics: null }]
    const { topics = [] } = (await simple.client.call(offsetFetch, 8, { groups, requireStable: false })).groups[0] ?? {}
    const offsets = topics.flatMap(({ partitions }) => partitions.map(({ committedOffset }) => committedOffset))
    expect(offsets).toEqual([1n, 2n])
  })

  it('rebalances when a member leaves', async () => {
    const kafka = await start()
    const [leader, follower] = await pair(kafka)
    expect(await leader.leave()).toBe(0)
    const joined = await rejoin(follower)
    expect(joined).toMatchObject({ errorCode: 0, leader: follower.memberId, generationId: 3 })
    expect(await leader.heartbeat()).toBe(UNKNOWN_MEMBER_ID)
    expect(await follower.leave()).toBe(0)
    expect(kafka.groups).toEqual([{ id: 'readers', state: 'Empty', generationId: 4, members: [] }])
  })

  it('rebalances without a member that was not heard of for its session timeout', async () => {
    const kafka = await start()
    const [lost, kept] = [await member(kafka), await member(kafka)]
    await lost.enter({ sessionTimeoutMs: 30 })
    await lost.sync()
    const joined = await kept.enter()
    expect(joined).toMatchObject({ errorCode: 0, leader: kept.memberId })
    expect(await lost.heartbeat()).toBe(UNKNOWN_MEMBER_ID)
  })

  it('goes on without a member that does not join again in time', async () => {
    const kafka = await start()
    const [late, prompt] = [await member(kafka), await member(kafka)]
    await late.enter({ rebalanceTimeoutMs: 50 })
    await late.sync()
    const joined = await prompt.enter({ rebalanceTimeoutMs: 50 })
    expect(joined).toMatchObject({ errorCode: 0, leader: prompt.memberId })
    expect(await late.join()).toMatchObject({ errorCode: UNKNOWN_MEMBER_ID })
  })

  it('breaks off a generation whose leader is yet to assign, when someone joins', async () => {
    const kafka = await start()
    const [leader, follower] = await pair(kafka)
    const third = await member(kafka)
    await third.join()
    const [, rejoined, entered] = await Promise.all([rejoin(leader), rejoin(follower), third.join()])
    expect([rejoined.generationId, entered.generationId]).toEqual([3, 3])
    const synced = third.sync()
    await kafka.waitForRequest({ api: 'SyncGroup' }, { count: 4 })
    expect(await follower.leave()).toBe(0)
    expect((await synced).errorCode).toBe(REBALANCE_IN_PROGRESS)
  })

  it('keeps the part of a static member that returns, and fences the one before', async () => {
    const kafka = await start()
    const [before, after] = [await member(kafka, 'i-1'), await member(kafka, 'i-1')]
    await before.enter()
    await before.sync({ [before.memberId]: 'mine' })
    const joined = await after.enter()
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1, leader: before.memberId, members: [] })
    expect((await after.sync()).assignment.toString()).toBe('mine')
    expect(await before.heartbeat()).toBe(FENCED_INSTANCE_ID)
    expect(await after.heartbeat()).toBe(0)
  })

  it('lets a static member return with another subscription, as long as the same protocol is chosen', async () => {
    const kafka = await start()
    const [before, after, other] = [await member(kafka, 'i-1'), await member(kafka, 'i-1'), await member(kafka, 'i-1')]
    await before.enter()
    await before.sync({ [before.memberId]: 'mine' })
    const protocol = (name: string) => ({ name, metadata: Buffer.from('other topics') })
    expect(await after.enter({ protocols: [protocol('range')] })).toMatchObject({ errorCode: 0, generationId: 1 })
    expect((await after.sync()).assignment.toString()).toBe('mine')
    expect(await other.enter({ protocols: [protocol('sticky'), protocol('range')] })).toMatchObject({ generationId: 2 })
  })

  it('waits no longer for one that has an id and never joins with it than Kafka does', async () => {
    const kafka = await start()
    const [gone, here] = [await member(kafka), await member(kafka)]
    expect(await gone.join({ sessionTimeoutMs: 60_000 })).toMatchObject({ errorCode: MEMBER_ID_REQUIRED })
    await gone.client.close()
    const joined = await here.enter()
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1, leader: here.memberId })
  })

  it('refuses its only member, too, that offers nothing of what it offered before', async () => {
    const kafka = await start()
    const alone = await member(kafka)
    const protocol = (name: string) => ({ name, metadata: Buffer.alloc(0) })
    await alone.enter({ protocols: [protocol('range')] })
    const errorOf = async (options: Parameters<RawMember['join']>[0]) => (await alone.join(options)).errorCode
    expect(await errorOf({ protocolType: 'connect' })).toBe(INCONSISTENT_GROUP_PROTOCOL)
    expect(await errorOf({ protocols: [protocol('sticky')] })).toBe(INCONSISTENT_GROUP_PROTOCOL)
    // In two steps it can change.
    expect(await errorOf({ protocols: [protocol('sticky'), protocol('range')] })).toBe(0)
    expect(await errorOf({ protocols: [protocol('sticky')] })).toBe(0)
    await alone.leave()
    alone.memberId = ''
    expect((await alone.enter({ protocolType: 'connect' })).errorCode).toBe(0)
  })

  it('refuses what can not be', async () => {
    const kafka = await start()
    const [leader] = await pair(kafka)
    const stranger = await member(kafka)
    const errorOf = async (options: Parameters<RawMember['join']>[0]) => (await stranger.join(options)).errorCode
    const others = [{ name: 'sticky', metadata: Buffer.alloc(0) }]
    expect(await errorOf({ memberId: '', protocols: others })).toBe(INCONSISTENT_GROUP_PROTOCOL)
    expect(await errorOf({ memberId: '', protocolType: 'connect' })).toBe(INCONSISTENT_GROUP_PROTOCOL)
    expect(await errorOf({ memberId: '', groupId: '' })).toBe(INVALID_GROUP_ID)
    expect(await errorOf({ memberId: '', sessionTimeoutMs: 19 })).toBe(INVALID_SESSION_TIMEOUT)
    expect(await errorOf({ memberId: 'nobody' })).toBe(UNKNOWN_MEMBER_ID)
    expect(await errorOf({ memberId: 'nobody', groupId: 'others' })).toBe(UNKNOWN_MEMBER_ID)
    leader.generationId = 99
    expect(await leader.heartbeat()).toBe(ILLEGAL_GENERATION)
    expect((await leader.sync()).errorCode).toBe(ILLEGAL_GENERATION)
  })

  it('is served by its coordinator alone, and goes on under another', async () => {
    const kafka = await startKafka({ brokers: 2, topics: { orders: {} } })
    const asked = await connectTo(kafka)
    const { coordinators } = await asked.call(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['readers'] })
    const coordinator = coordinators[0]?.nodeId ?? -1
    const other = kafka.brokers.find(({ id }) => id !== coordinator)?.id
    const [right, wrong] = [
      new RawMember(await connectTo(kafka, coordinator)),
      new RawMember(await connectTo(kafka, other)),
    ]
    expect((await wrong.join()).errorCode).toBe(NOT_COORDINATOR)
    await right.enter()
    await kafka.stopBroker(coordinator)
    wrong.memberId = right.memberId
    wrong.generationId = right.generationId
    expect(await wrong.heartbeat()).toBe(0)
  })
})
