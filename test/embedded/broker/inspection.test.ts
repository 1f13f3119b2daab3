import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { pushTelemetry } from '../../../src/protocol/apis/push-telemetry.js'
import { saslAuthenticate } from '../../../src/protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../../src/protocol/apis/sasl-handshake.js'
import { connectTo, startKafka } from '../support/cluster.js'
import { RawClient } from '../support/raw-client.js'
import { batchOf, messagesOf, metadataOf, metadataRequest, produceRequest, produceTo } from '../support/requests.js'

const batch = batchOf([{ value: '1' }, { value: '2' }])

describe('what can be seen of a cluster', () => {
  it('requests, with what they ask for', async () => {
    const kafka = await startKafka({ release: '2.8', brokers: 2, topics: { orders: { partitions: 2 } } })
    const client = await connectTo(kafka, 2)
    await metadataOf(client, ['orders'])
    const records = Buffer.concat([messagesOf([{ value: '1' }], 1), messagesOf([{ value: '2' }], 1)])
    await produceTo(client, records, { version: 2, partition: 1, acks: 1 })
    const [asked, produced] = kafka.requests
    expect(asked).toMatchObject({
      index: 0,
      api: 'Metadata',
      apiKey: 3,
      apiVersion: 9,
      broker: 2,
      correlationId: 1,
      clientId: 'raw',
    })
    expect(asked?.topics).toEqual([{ topic: 'orders', partitions: [] }])
    expect(produced).toMatchObject({ index: 1, api: 'Produce', apiVersion: 2, acks: 1, correlationId: 2 })
    expect(produced?.topics).toEqual([
      { topic: 'orders', partitions: [{ partition: 1, batches: 2, bytes: records.length }] },
    ])
    expect(produced?.sizeBytes).toBeGreaterThan(records.length)
    expect(produced?.connection).toBe(asked?.connection)
  })

  it('requests, as many as wanted', async () => {
    const kafka = await startKafka({ requestHistory: 3 })
    const client = await connectTo(kafka)
    for (let i = 0; i < 20; i++) await metadataOf(client, [])
    expect(kafka.requests.map(({ index }) => index)).toEqual([17, 18, 19])
    kafka.clearRequests()
    expect(kafka.requests).toEqual([])
    await metadataOf(client, [])
    expect(kafka.requests.map(({ index }) => index)).toEqual([20])
  })

  it('attempts to authenticate, and pushes of metrics, as many as requests', async () => {
    const sasl = { users: { alice: 'wonderland' }, sessionLifetimeMs: 60_000 }
    const kafka = await startKafka({ requestHistory: 3, sasl, clientMetrics: {} })
    const client = await connectTo(kafka)
    for (const word of ['wonderland', 'wonderland', 'wonderland', 'wonderland', 'hatter']) {
      await client.call(saslHandshake, 1, { mechanism: 'PLAIN' })
      await client.call(saslAuthenticate, 1, { authBytes: Buffer.from(`\0alice\0${word}`) })
      const metrics = { clientInstanceId: Buffer.alloc(16, 1), subscriptionId: 1, compressionType: 0 }
      if (word !== 'hatter')
        await client.call(pushTelemetry, 0, { ...metrics, terminating: false, metrics: Buffer.from(word) })
    }
    expect(kafka.authentications.map(({ succeeded }) => succeeded)).toEqual([true, true, false])
    expect(kafka.receivedMetrics).toHaveLength(3)
  })

  it('a request to wait for: among those that came, or to come', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    await metadataOf(client, ['orders'])
    expect((await kafka.waitForRequest({ api: 'Metadata' })).index).toBe(0)
    const third = kafka.waitForRequest(({ topics }) => topics[0]?.topic === 'orders', { count: 3 })
    await metadataOf(client, ['other'])
    await metadataOf(client, ['orders'])
    await produceTo(client, batch)
    expect((await third).api).toBe('Produce')
    const missing = kafka.waitForRequest({ api: 'Fetch', broker: 1, clientId: 'raw' }, { timeoutMs: 20 })
    await expect(missing).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: '0 of 1 requests have come within 20 ms',
    })
  })

  it('a request to wait for that comes after more than are remembered', async () => {
    const kafka = await startKafka({ requestHistory: 2 })
    const client = await connectTo(kafka)
    await metadataOf(client, ['orders'])
    const sixth = kafka.waitForRequest({ topic: 'orders' }, { count: 6 })
    // Four in one piece, and others behind them.
    client.socket.cork()
    for (let i = 0; i < 4; i++) client.send(metadata, 9, metadataRequest(['orders']))
    client.socket.uncork()
    for (let i = 0; i < 4; i++) await client.answer(metadata, 9)
    for (let i = 0; i < 3; i++) await metadataOf(client, ['other'])
    await metadataOf(client, ['orders'])
    expect((await sixth).index).toBe(8)
    expect(kafka.requests.map(({ index }) => index)).toEqual([7, 8])
  })

  it('a request to wait for, but for those that were to be forgotten', async () => {
    const kafka = await startKafka()
    const client = await connectTo(kafka)
    await metadataOf(client, ['orders'])
    const second = kafka.waitForRequest({ topic: 'orders' }, { count: 2 })
    kafka.clearRequests()
    for (let i = 0; i < 2; i++) await metadataOf(client, ['orders'])
    expect((await second).index).toBe(2)
  })

  it('records to wait for', async () => {
    const kafka = await startKafka()
    const waiting = kafka.waitForRecords('orders', 3)
    const client = await connectTo(kafka)
    kafka.createTopic('orders')
    await produceTo(client, batch)
    await produceTo(client, batch)
    expect((await waiting).map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n])
    await expect(kafka.waitForRecords('orders', 5, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    expect(() => kafka.records('other')).toThrow(expect.objectContaining({ code: 'UNKNOWN_TOPIC' }))
  })

  it('faults to wait for', async () => {
    const kafka = await startKafka()
    const fault = kafka.fail({ api: 'Metadata', times: 2 }, 29)
    const client = await connectTo(kafka)
    await metadataOf(client, ['orders'])
    await fault.hit()
    await expect(fault.hit(2, 20)).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    await metadataOf(client, ['orders'])
    await fault.hit(2)
  })

  it('connections: of whom, with which broker', async () => {
    const kafka = await startKafka({ brokers: 2 })
    const first = await RawClient.connect(kafka.brokers[0] ?? '', 'one')
    const second = await RawClient.connect(kafka.brokers[1] ?? '', 'two')
    await expect.poll(() => kafka.connections.map(({ clientId }) => clientId)).toEqual([null, null])
    await metadataOf(first, [])
    await metadataOf(second, [])
    expect(kafka.connections.map(({ broker, clientId, remotePort }) => [broker, clientId, remotePort])).toEqual([
      [1, 'one', first.socket.localPort],
      [2, 'two', second.socket.localPort],
    ])
    await first.close()
    await expect.poll(() => kafka.connections.map(({ clientId }) => clientId)).toEqual(['two'])
    await second.close()
  })

  it('a client that sends and closes at once has sent', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    for (let i = 0; i < 10; i++) client.send(produce, 9, produceRequest(batch, { acks: 0 }))
    client.socket.end()
    await client.untilClosed()
    expect(await kafka.waitForRecords('orders', 20)).toHaveLength(20)
  })

  it('a client that sends and then closes its half gets its answers', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    kafka.delay({ api: 'Produce' }, 5)
    for (let i = 0; i < 3; i++) client.send(produce, 9, produceRequest(batch))
    client.socket.end()
    const offsets: (bigint | undefined)[] = []
    for (let i = 0; i < 3; i++) {
      offsets.push((await client.answer(produce, 9)).responses[0]?.partitionResponses[0]?.baseOffset)
    }
    expect(offsets).toEqual([0n, 2n, 4n])
    await client.untilClosed()
  })

  it('printed, in a line without secrets', async () => {
    const topics = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`t${i}`, { partitions: i + 1 }]))
    const sasl = { users: { alice: 'TESTPASSWORD' } }
    const kafka = await startKafka({ brokers: [{}, { release: '2.8' }], topics, sasl })
    await kafka.stopBroker(2)
    const text = inspect(kafka, { depth: 9, showHidden: true })
    const list = Array.from({ length: 10 }, (_, i) => `t${i} (${i + 1})`).join(', ')
    const brokers = '1 (4, running), 2 (2.8, stopped)'
    expect(text).toBe(
      `EmbeddedKafka { bootstrap: '${kafka.bootstrap}', brokers: '${brokers}', topics: '${list}, 2 more' }`,
    )
    expect(inspect({ kafka })).toContain('EmbeddedKafka {')
    expect(JSON.parse(JSON.stringify({ kafka }))).toMatchObject({ kafka: { bootstrap: kafka.bootstrap } })
  })

  it('records that a user may keep and change', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    await produceTo(await connectTo(kafka), batch)
    kafka.records('orders')[0]?.value?.fill(0)
    expect(kafka.records('orders')[0]?.value?.toString()).toBe('1')
  })
})
