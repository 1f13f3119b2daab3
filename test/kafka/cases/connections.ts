/** How brokers are found, asked, lost and found again. */
import type { LookupAddress } from 'node:dns'
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import { expect, test } from 'vitest'
import { Producer } from '../../../src/index.js'
import { whyLacking, type Feature } from '../support/features.js'
import { leaveOutIf, newTopic, release, type Cluster } from '../support/fixture.js'
import { freeze } from '../support/freeze.js'
import { expectAt, expectStored, readBack, type Message } from '../support/read-back.js'
import { SocketWatch } from '../support/sockets.js'
import { ownError } from './messages.js'
import { autoPartitions } from './partitions.js'

/** For the brokers under test: short enough to wait for. */
export const brokerIdleMs = 3000

export function connectionCases(cluster: Cluster): void {
  const has = (feature: Feature): boolean => whyLacking(release.version, feature) === undefined
  /** What only a connection of the right age can store. */
  const modernMessage = (topic: string): Message => ({
    topic,
    value: 'x',
    ...(has('headers') ? { headers: { h: '1' } } : {}),
    ...(has('timestamps') ? { timestamp: 1_600_000_000_000 } : {}),
  })

  test('the broker’s age is found out without being told', async () => {
    const messages = [modernMessage(newTopic('asked'))]
    await expectStored(cluster.kafka, messages, await cluster.producer({}, { asking: true }).send(messages))
  })

  test('a bootstrap list with dead entries', async () => {
    const topic = newTopic('dead-bootstrap')
    const brokers = `127.0.0.1:1,nowhere.invalid:9092,${cluster.kafka.bootstrap},127.0.0.1:2`
    for (let round = 0; round < 5; round++) await cluster.producer({ brokers }).send({ topic, value: `round ${round}` })
    expect(await readBack(cluster.kafka, topic)).toHaveLength(5)
  })

  test('a bootstrap list without a living entry fails in time and says so', async () => {
    const error = await ownError(
      cluster.producer({ brokers: '127.0.0.1:1,127.0.0.1:2', deliveryTimeoutMs: 500 }).send({ topic: 't', value: 'x' }),
    )
    expect(error.message).toMatch(/ECONNREFUSED/)
  })

  test('of several addresses of a name the one that accepts is found', async () => {
    const messages: Message[] = [{ topic: newTopic('addresses'), value: 'x' }]
    // Only the name service is played; the sockets are real, and nobody listens at the first two.
    const original = dns.lookup
    const played = async (): Promise<LookupAddress[]> =>
      ['127.0.0.2', '::1', '127.0.0.1'].map((address) => ({ address, family: address === '::1' ? 6 : 4 }))
    dns.lookup = played as unknown as typeof dns.lookup
    syncBuiltinESMExports()
    try {
      const port = cluster.kafka.brokers[0]?.port ?? 0
      await expectStored(
        cluster.kafka,
        messages,
        await cluster.producer({ brokers: `several.test:${port}` }).send(messages),
      )
    } finally {
      dns.lookup = original
      syncBuiltinESMExports()
    }
  })

  test('an idle connection that the broker closes is opened again by the next send', async () => {
    const topic = newTopic('idle')
    using watch = new SocketWatch()
    const producer = cluster.producer()
    const messages: Message[] = [
      { topic, partition: 0, value: 'before' },
      { topic, partition: 0, value: 'after' },
    ]
    const before = await producer.send(messages.slice(0, 1))
    // A leader that does not know yet that it is one refuses the first: what counts is what comes after.
    const { resends } = producer.stats()
    await watch.until(() => watch.closed === watch.sockets.length)
    const after = await producer.send(messages.slice(1))
    expect(producer.stats().resends).toBe(resends)
    await expectStored(cluster.kafka, messages, [...before, ...after])
  })

  test('close() leaves no socket behind, and what was written arrives', async () => {
    const topic = newTopic('closed')
    // Any partition may get them, and a leader that does not know yet that it is one refuses.
    const first: Message[] = Array.from({ length: autoPartitions }, (_, partition) => ({
      topic,
      partition,
      value: 'first',
    }))
    await cluster.producer().send(first)
    using watch = new SocketWatch()
    const producer = cluster.producer({ acks: 0 })
    await producer.send(Array.from({ length: 1000 }, (_, index) => ({ topic, value: `v${index}` })))
    await producer.close()
    expect(watch.closed).toBe(watch.sockets.length)
    const count = 1000 + first.length
    expect(await readBack(cluster.kafka, topic, { count })).toHaveLength(count)
  })

  test('a broker that stops answering: time-out, mayHaveBeenWritten; when it answers again all goes on', async () => {
    const topic = newTopic('paused')
    const impatient = cluster.producer({ requestTimeoutMs: 500, retries: 0 })
    const patient = cluster.producer({ requestTimeoutMs: 500 })
    const first = await impatient.send({ topic, partition: 0, value: 'first' })
    await patient.send({ topic, partition: 1, value: 'first' })
    await freeze(cluster.kafka, 1)
    let acknowledged
    try {
      const error = await ownError(impatient.send({ topic, partition: 0, value: 'unsure' }))
      expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', mayHaveBeenWritten: true, attempts: 1 })
      acknowledged = patient.send({ topic, partition: 1, value: 'second' })
    } finally {
      cluster.kafka.resumeBroker(1)
    }
    const second = await acknowledged
    const last = await impatient.send({ topic, partition: 0, value: 'last' })
    const records = await readBack(cluster.kafka, topic)
    expectAt(
      records,
      [
        { topic, value: 'first' },
        { topic, value: 'second' },
        { topic, value: 'last' },
      ],
      [...first, ...second, ...last],
    )
  })

  test('a paused modern broker is never taken for an old one', async (context) => {
    leaveOutIf(context, whyLacking(release.version, 'apiVersions') === undefined ? undefined : 'is an old one')
    const messages = [modernMessage(newTopic('stalled'))]
    using watch = new SocketWatch()
    const producer = cluster.producer({ connectTimeoutMs: 10_000 })
    await freeze(cluster.kafka, 1)
    let metadata
    try {
      metadata = producer.send(messages)
      // Two questions for its versions had no answer, and the one that an old broker would answer is on its way.
      await watch.until(() => watch.connected >= 3)
    } finally {
      cluster.kafka.resumeBroker(1)
    }
    await expectStored(cluster.kafka, messages, await metadata)
  })

  test('a broker started again between sends, and while one waits', async () => {
    const topic = newTopic('restarted')
    const producer = cluster.producer()
    const messages: Message[] = ['before', 'during', 'after'].map((value) => ({ topic, partition: 0, value }))
    const before = await producer.send(messages.slice(0, 1))
    await cluster.kafka.stopBroker(1)
    const during = producer.send(messages.slice(1, 2))
    await cluster.kafka.startBroker(1)
    const metadata = [...before, ...(await during), ...(await producer.send(messages.slice(2)))]
    await expectStored(cluster.kafka, messages, metadata)
  })

  test('send() after close() is refused', async () => {
    const producer = new Producer({ brokers: cluster.kafka.bootstrap })
    await producer.close()
    await expect(producer.send({ topic: 't', value: 'x' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
  })
}
