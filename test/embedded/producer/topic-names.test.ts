import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { BoundedMap } from '../../../src/bounded-map.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, errorOf, failureOf, startProducer } from '../support/producers.js'

/** Megabytes that stay in use, after everything else has been collected. */
async function megabytesInUse(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    gc()
  }
  return process.memoryUsage().heapUsed / 1_000_000
}

/** The name of a topic as a program cuts it out of a request: it keeps the whole of it in memory. */
function nameOutOf(i: number): string {
  const body = Buffer.alloc(1_000_000, `some-path/topic-number-${i}/rest-of-the-request-`).toString('latin1')
  return body.split('/')[1] as string
}

describe('a topic’s name that was cut out of a larger string does not keep that in memory', () => {
  it('where the topic exists', async () => {
    const kafka = await startKafka()
    const producer = startProducer(kafka)
    await producer.send({ topic: 'warm', value: 'x' })
    const before = await megabytesInUse()
    for (let i = 0; i < 40; i++) await producer.send({ topic: nameOutOf(i), value: 'x' })
    expect((await megabytesInUse()) - before).toBeLessThan(20)
    expect(() => kafka.records('topic-number-39')).not.toThrow()
  })

  it('where it does not', async () => {
    const kafka = await startKafka({ topics: { warm: {} } })
    kafka.fail({ api: 'Metadata', times: Infinity }, 'INVALID_TOPIC_EXCEPTION')
    const producer = startProducer(kafka)
    const before = await megabytesInUse()
    for (let i = 0; i < 40; i++) await deliveryErrorOf(producer.send({ topic: nameOutOf(i), value: 'x' }))
    for (let i = 0; i < 40; i++) await errorOf(producer.partitionsFor(nameOutOf(i)))
    expect((await megabytesInUse()) - before).toBeLessThan(20)
  })

  it('where its messages are refused for want of room', async () => {
    const kafka = await startKafka({ topics: { warm: {} } })
    const producer = startProducer(kafka, { queueMessages: 1, enqueueTimeoutMs: 0 })
    await producer.send({ topic: 'warm', value: 'x' })
    using stall = kafka.stall({ api: 'Produce' })
    const sending = producer.send({ topic: 'warm', value: 'x' })
    await stall.hit()
    const before = await megabytesInUse()
    for (let i = 0; i < 40; i++)
      expect((await errorOf(producer.send({ topic: nameOutOf(i), value: 'x' }))).code).toBe('QUEUE_FULL')
    expect((await megabytesInUse()) - before).toBeLessThan(20)
    stall.release()
    await sending
  })
})

it('names of topics that do not exist are not kept, however many there are', async () => {
  const kafka = await startKafka({ topics: { warm: {} } })
  kafka.fail({ api: 'Metadata', times: Infinity }, 'INVALID_TOPIC_EXCEPTION')
  const producer = startProducer(kafka)
  const names = (round: number) => Array.from({ length: 2_000 }, (_, i) => `${round}-${i}-`.padEnd(240, 'x'))
  const sendRound = async (round: number) => {
    kafka.clearRequests()
    await failureOf(producer.send(names(round).map((topic) => ({ topic, value: 'x' }))))
    kafka.clearRequests()
  }
  for (let round = 0; round < 3; round++) await sendRound(round)
  const before = await megabytesInUse()
  for (let round = 3; round < 18; round++) await sendRound(round)
  // 30,000 names, were they kept once each, would be 8 MB.
  expect((await megabytesInUse()) - before).toBeLessThan(6)
})

it('of topics whose messages were dropped so many are told by name, and the others together', async () => {
  const kafka = await startKafka({ topics: { warm: {} } })
  const producer = startProducer(kafka, { queueMessages: 1, enqueueTimeoutMs: 0 })
  await producer.send({ topic: 'warm', value: 'x' })
  using stall = kafka.stall({ api: 'Produce' })
  const sending = producer.send({ topic: 'warm', value: 'x' })
  await stall.hit()
  await errorOf(producer.send(Array.from({ length: 3_000 }, (_, i) => ({ topic: `t-${i}`, value: 'x' }))))
  const { dropped } = producer.stats()
  expect(Object.keys(dropped)).toHaveLength(1_001)
  expect([dropped['t-0'], dropped['*']]).toEqual([1, 2_000])
  stall.release()
  await sending
})

describe('a bounded map', () => {
  it('forgets what nobody asked for since as many others came', () => {
    const map = new BoundedMap<number, number>()
    for (let i = 0; i < 100_000; i++) {
      map.set(i, i)
      expect(map.get(0)).toBe(0)
    }
    expect(map.size).toBeLessThanOrEqual(32_768)
    expect([map.has(100_000 - 16_384), map.has(50_000)]).toEqual([true, false])
  })

  it('has one value for a key, the last', () => {
    const map = new BoundedMap<number, number>()
    for (let i = 0; i < 40_000; i++) map.set(i % 10, i)
    expect([map.size, map.get(9)]).toEqual([10, 39_999])
    map.clear()
    expect([map.size, map.has(9)]).toEqual([0, false])
  })
})
