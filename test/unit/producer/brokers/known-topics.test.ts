import { describe, expect, it } from 'vitest'
import { KnownTopics } from '../../../../src/producer/brokers/known-topics.js'
import type { MetadataTopic } from '../../../../src/protocol/apis/metadata.js'
import { ErrorCodes } from '../../../../src/protocol/error-codes.js'
import { Observers, type ObservedEvent } from '../../../../src/stats/observer.js'

/** An answer about a topic whose partition 0 is led by this broker. */
function answer(
  name: string,
  leaderId: number,
  leaderEpoch: number,
  errorCode: number = ErrorCodes.NONE,
): MetadataTopic {
  const partitions = errorCode === ErrorCodes.NONE ? [{ errorCode: 0, partitionIndex: 0, leaderId, leaderEpoch }] : []
  return { errorCode, name, topicId: Buffer.alloc(16), partitions } as unknown as MetadataTopic
}

describe('what is known of topics', () => {
  const all = new Set(['orders', 'users'])

  it('is what the last answer told of those that exist; who asked is told of the others, too', () => {
    const known = new KnownTopics()
    known.nextGeneration()
    const missing = answer('users', -1, -1, ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION)
    const learned = known.learn([answer('orders', 1, 5), missing], all, 0)
    expect(known.get('orders')?.partitions).toMatchObject([{ partition: 0, leader: 1, leaderEpoch: 5 }])
    expect(known.get('users')).toBeUndefined()
    expect(learned.all.get('users')?.error?.errorCode).toBe(ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION)
    expect([...known.names()]).toEqual(['orders'])
    expect(known.generationOf('orders')).toBe(1)
    expect(known.generationOf('users')).toBe(0)
  })

  it('is dropped where an answer says that there is no such topic any more', () => {
    const known = new KnownTopics()
    known.learn([answer('orders', 1, 5)], new Set(['orders']), 0)
    known.learn([], new Set(['orders']), 1)
    expect(known.isAny).toBe(false)
  })

  it('does not go back to an older leader, unless the one that is known is in doubt and the older one keeps coming', () => {
    const known = new KnownTopics()
    const learn = (leader: number, epoch: number) =>
      known.learn([answer('orders', leader, epoch)], new Set(['orders']), 0)
    learn(1, 5)
    learn(2, 4)
    expect(known.get('orders')?.partitions[0]?.leader).toBe(1)
    known.doubtLeadersAt(1)
    for (let i = 1; i < 5; i++) expect(learn(2, 4).undecided).toEqual(['orders'])
    expect(known.get('orders')?.partitions[0]?.leader).toBe(1)
    expect(learn(2, 4).undecided).toEqual([])
    expect(known.get('orders')?.partitions[0]?.leader).toBe(2)
  })

  it('takes from answers to messages what is newer, and names a broker whose address is known', () => {
    const events: ObservedEvent[] = []
    const observers = new Observers()
    observers.add({ event: (event) => events.push(event) })
    const known = new KnownTopics(observers)
    known.learn([answer('orders', 1, 5)], new Set(['orders']), 0)
    const told = (leader: number, leaderEpoch: number) => [{ topic: 'orders', partition: 0, leader, leaderEpoch }]
    expect(known.learnLeaders(told(2, 5), () => true).news.size).toBe(0)
    expect(known.learnLeaders(told(2, 6), () => false).news.size).toBe(0)
    expect(known.learnLeaders([...told(2, 6), ...told(3, 7)], () => true)).toMatchObject({
      topics: [{ topic: 'orders', partitions: [{ leader: 3, leaderEpoch: 7 }] }],
    })
    expect(events).toEqual([{ type: 'leader-changed', topic: 'orders', partition: 0, from: 1, to: 3 }])
  })

  it('is of the cluster that told it: in another one, those in use are asked for again and the others forgotten', () => {
    const known = new KnownTopics()
    known.learn([answer('orders', 1, 5), answer('users', 1, 5)], all, 0)
    known.leaveCluster((topic) => topic === 'orders')
    expect(known.isAny).toBe(false)
    expect([...known.names()]).toEqual(['orders'])
    // What the other cluster leads it by begins anew there.
    known.learn([answer('orders', 2, 0)], new Set(['orders']), 1)
    expect(known.get('orders')?.partitions[0]?.leader).toBe(2)
    expect(known.isAnyToldElsewhere).toBe(false)
  })

  it('is forgotten once it is idle, counted from when it was first told', () => {
    const known = new KnownTopics()
    known.learn([answer('orders', 1, 5), answer('users', 1, 5)], all, 10)
    known.learn([answer('orders', 1, 6)], new Set(['orders']), 20)
    known.forgetIdle(9, () => false)
    expect([...known.names()]).toEqual(['orders', 'users'])
    known.forgetIdle(10, (topic) => topic === 'users')
    expect([...known.names()]).toEqual(['users'])
  })
})
