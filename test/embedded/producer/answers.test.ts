import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { ProducePartitionResponse } from '../../../src/protocol/apis/produce.js'
import type { Spoiling } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import {
  deliveryErrorOf,
  errorOf,
  expectNothingHeld,
  failureOf,
  outcomes,
  plainServer,
  portOf,
  requestsOf,
  startProducer,
  stored,
  turns,
} from '../support/producers.js'
import { partitionAnswer, ScriptedBroker, withPartitions, type Script } from '../support/scripted-broker.js'

/* Answers that contradict their requests, or are none at all. */

type Parts = (parts: readonly ProducePartitionResponse[]) => readonly ProducePartitionResponse[]

describe('a Produce answer that contradicts its request fails the request, and the connection is not used again', () => {
  const rearranged: [string, Parts][] = [
    ['a missing partition', (parts) => parts.slice(1)],
    ['no partition at all', () => []],
    ['an extra partition', (parts) => [...parts, partitionAnswer(7)]],
    ['a repeated partition', (parts) => [...parts, ...parts.slice(0, 1)]],
    ['another partition instead', (parts) => [partitionAnswer(7), ...parts.slice(1)]],
  ]
  it.each(rearranged)('%s', async (_, parts) => {
    const broker = await ScriptedBroker.start({
      partitions: 2,
      onProduce: ({ index }, good) => (index === 0 ? withPartitions(good, parts) : good),
    })
    const producer = startProducer(broker.address)
    const results = await producer.send([
      { topic: 'orders', partition: 0, value: 'a' },
      { topic: 'orders', partition: 1, value: 'b' },
    ])
    expect(results.map(({ offset }) => offset)).toEqual([100n, 100n])
    expect(broker.values).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    // One for metadata, one that the answer came on, and a new one.
    expect(broker.connections).toBe(3)
    expectNothingHeld(producer)
  })

  it.each(rearranged)('%s: all messages may have been written', async (_, parts) => {
    const broker = await ScriptedBroker.start({
      partitions: 2,
      onProduce: (_question, good) => withPartitions(good, parts),
    })
    const producer = startProducer(broker.address, { retries: 0 })
    const failure = await failureOf(
      producer.send([
        { topic: 'orders', partition: 0, value: 'a' },
        { topic: 'orders', partition: 1, value: 'b' },
      ]),
    )
    expect(failure.results).toEqual(
      [0, 1].map((partition) =>
        expect.objectContaining({ code: 'MALFORMED_RESPONSE', mayHaveBeenWritten: true, partition }),
      ),
    )
    expectNothingHeld(producer)
  })

  it('a topic that was not sent', async () => {
    const onProduce: Script['onProduce'] = (_question, good) => ({
      ...good,
      responses: [...good.responses, { ...(good.responses[0] as (typeof good.responses)[0]), name: 'payments' }],
    })
    const broker = await ScriptedBroker.start({ onProduce })
    const error = await deliveryErrorOf(
      startProducer(broker.address, { retries: 0 }).send({ topic: 'orders', value: 'a' }),
    )
    expect(error).toMatchObject({ code: 'MALFORMED_RESPONSE', mayHaveBeenWritten: true })
    expect(error.message).toContain('payments-0')
  })

  it('a topic in two parts is as good as in one', async () => {
    const broker = await ScriptedBroker.start({
      partitions: 2,
      onProduce: (_question, good) => ({
        ...good,
        responses: good.responses.flatMap((topic) =>
          topic.partitionResponses.map((part) => ({ ...topic, partitionResponses: [part] })),
        ),
      }),
    })
    const results = await startProducer(broker.address).send(
      [0, 1].map((partition) => ({ topic: 'orders', partition, value: 'a' })),
    )
    expect(results).toHaveLength(2)
  })
})

describe('a spoiled answer fails what is in flight, and the next connection is a new one', () => {
  it.each<Spoiling>(['noise', 'wrong-correlation-id', 'huge-length', 'negative-length', 'short-body'])(
    '%s in Produce',
    async (how) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      const producer = startProducer(kafka, { retries: 0 })
      await producer.send({ topic: 'orders', value: 'warm' })
      kafka.spoil({ api: 'Produce' }, how)
      const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
      expect(error).toMatchObject({ code: 'MALFORMED_RESPONSE', mayHaveBeenWritten: true, retriable: true })
      await producer.send({ topic: 'orders', value: 'next' })
      expect(stored(kafka, 'orders')).toEqual(['warm', 'x', 'next'])
      const connections = requestsOf(kafka, 'Produce').map(({ connection }) => connection)
      expect(connections[2]).not.toBe(connections[1])
      expectNothingHeld(producer)
    },
  )

  it.each<Spoiling>(['noise', 'wrong-correlation-id', 'huge-length', 'negative-length', 'short-body'])(
    '%s in Metadata and ApiVersions: asked again',
    async (how) => {
      const kafka = await startKafka({ topics: { orders: {} } })
      kafka.spoil({ api: 'ApiVersions', times: 2 }, how)
      kafka.spoil({ api: 'Metadata', times: 2 }, how)
      await startProducer(kafka).send({ topic: 'orders', value: 'x' })
      expect(stored(kafka, 'orders')).toEqual(['x'])
    },
  )

  it('all requests in flight on that connection fail, each once', async () => {
    const kafka = await startKafka({ topics: { orders: { partitions: 3 } } })
    const producer = startProducer(kafka, { retries: 0 })
    await producer.send({ topic: 'orders', partition: 0, value: 'warm' })
    const stall = kafka.stall({ api: 'Produce' })
    kafka.spoil({ api: 'Produce' }, 'noise')
    const sending = [0, 1, 2].map(async (partition) =>
      deliveryErrorOf(producer.send({ topic: 'orders', partition, value: 'x' })),
    )
    // All of one turn are one request; those of other partitions are pipelined behind it.
    await stall.hit()
    sending.push(
      deliveryErrorOf(
        producer.send({ topic: 'orders', partition: 0, value: 'waits' }).then(() => Promise.reject(new Error('sent'))),
      ).catch((error: Error) => error as never),
    )
    stall.release()
    const errors = await Promise.all(sending.slice(0, 3))
    expect(errors.map(({ code, mayHaveBeenWritten }) => [code, mayHaveBeenWritten])).toEqual(
      [0, 1, 2].map(() => ['MALFORMED_RESPONSE', true]),
    )
    await sending[3]
  })
})

describe('record errors (Produce v8 and later)', () => {
  it('fail the messages that they name; the others are sent again without them', async () => {
    const kafka = await startKafka({ topics: { orders: { config: { 'cleanup.policy': 'compact' } } } })
    const producer = startProducer(kafka, { retries: 0 })
    const failure = await failureOf(
      producer.send([
        { topic: 'orders', key: 'a', value: '1' },
        { topic: 'orders', value: 'no key' },
        { topic: 'orders', key: 'b', value: '2' },
        { topic: 'orders', value: 'none either' },
      ]),
    )
    expect(outcomes(failure.results)).toEqual([0n, 'INVALID_RECORD', 1n, 'INVALID_RECORD'])
    expect(failure.results[1]).toMatchObject({ mayHaveBeenWritten: false, attempts: 1, retriable: false })
    expect((failure.results[1] as Error).message).toContain('without a key')
    expect(stored(kafka, 'orders')).toEqual(['1', '2'])
    expectNothingHeld(producer)
  })

  it('behind an attempt that may have written all: the others are told that one’s failure, and not that they are invalid', async () => {
    const kafka = await startKafka({ topics: { orders: { config: { 'cleanup.policy': 'compact' } } } })
    const producer = startProducer(kafka)
    kafka.cut({ api: 'Produce' })
    const failure = await failureOf(
      producer.send([
        { topic: 'orders', key: 'a', value: '1' },
        { topic: 'orders', value: 'no key' },
        { topic: 'orders', key: 'b', value: '2' },
      ]),
    )
    // Under other sequences the others could be there twice.
    expect(outcomes(failure.results)).toEqual(['CONNECTION_CLOSED', 'INVALID_RECORD', 'CONNECTION_CLOSED'])
    for (const result of failure.results) expect(result).toMatchObject({ mayHaveBeenWritten: true, attempts: 2 })
    expect((failure.results[1] as Error).message).toContain('without a key')
    await producer.send({ topic: 'orders', key: 'a', value: '3' })
    expect(stored(kafka, 'orders')).toEqual(['3'])
    expectNothingHeld(producer)
  })

  it('that name all messages fail them all', async () => {
    const kafka = await startKafka({ topics: { orders: { config: { 'cleanup.policy': 'compact' } } } })
    const failure = await failureOf(
      startProducer(kafka).send([
        { topic: 'orders', value: '1' },
        { topic: 'orders', value: '2' },
      ]),
    )
    expect(outcomes(failure.results)).toEqual(['INVALID_RECORD', 'INVALID_RECORD'])
    expect(failure.mayHaveBeenWritten).toBe(false)
    expect(requestsOf(kafka, 'Produce')).toHaveLength(1)
  })

  it('for a timestamp that the broker refuses', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const failure = await failureOf(
      startProducer(kafka).send([
        { topic: 'orders', value: 'now' },
        { topic: 'orders', value: 'next year', timestamp: Date.now() + 31_536_000_000 },
      ]),
    )
    expect(outcomes(failure.results)).toEqual([0n, 'INVALID_TIMESTAMP'])
  })

  it('that name no message of the batch are no reason to send it for ever', async () => {
    const broker = await ScriptedBroker.start({
      onProduce: (_question, good) =>
        withPartitions(good, (parts) =>
          parts.map(({ index }) =>
            partitionAnswer(index, { errorCode: 87, recordErrors: [{ batchIndex: 99, batchIndexErrorMessage: null }] }),
          ),
        ),
    })
    const failure = await failureOf(
      startProducer(broker.address, { deliveryTimeoutMs: 1_000 }).send(
        ['1', '2'].map((value) => ({ topic: 'orders', value })),
      ),
    )
    expect(outcomes(failure.results)).toEqual(['INVALID_RECORD', 'INVALID_RECORD'])
    expect(broker.produced.length).toBeLessThan(3)
  })
})

describe('what is no broker', () => {
  it.each([
    ['hangs up at once', (socket: { destroy(): void }) => socket.destroy()],
    [
      'talks garbage',
      (socket: { write(bytes: Buffer): void }) => socket.write(Buffer.from([0, 0, 0, 4, 9, 9, 9, 9, 1, 2, 3])),
    ],
  ])('that %s: the message fails at its deadline, and no old broker is seen in it', async (_, onConnection) => {
    const server = await plainServer((socket) => socket.on('data', () => onConnection(socket)))
    const producer = startProducer(server.address, { deliveryTimeoutMs: 400 })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
    expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false, attempts: 0 })
    expect(error.message).toContain('set up no session')
    expect(server.connections()).toBeGreaterThan(1)
    expectNothingHeld(producer)
  })

  it.each([
    ['HTTP', 'CONNECTION_FAILED', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
    ['TLS', 'TLS_FAILED', Buffer.from([0x15, 3, 3, 0, 2, 2, 80])],
  ])(
    'that speaks %s: the message fails with what is wrong, since no retry would mend it',
    async (protocol, code, bytes) => {
      const server = await plainServer((socket) => socket.on('data', () => socket.end(bytes)))
      const error = await deliveryErrorOf(startProducer(server.address).send({ topic: 'orders', value: 'x' }))
      expect(error).toMatchObject({ code, retriable: false, mayHaveBeenWritten: false, attempts: 0 })
      expect(error.message).toContain(protocol)
    },
  )

  it('in a bootstrap list is passed over', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const http = await plainServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    for (let i = 0; i < 3; i++)
      await startProducer(`${http.address},${kafka.bootstrap}`).send({ topic: 'orders', value: 'x' })
    expect(stored(kafka, 'orders')).toHaveLength(3)
  })
})

it('a connection that is reset in the middle of session set-up is opened again, and no old broker is seen in it', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  let resets = 0
  const flaky = await plainServer((socket) => {
    if (resets < 5) {
      socket.once('data', () => {
        resets++
        socket.resetAndDestroy()
      })
    } else {
      const target = connect({ host: '127.0.0.1', port: portOf(kafka.bootstrap) })
      target.on('error', () => socket.destroy())
      target.on('close', () => socket.destroy())
      socket.on('close', () => target.destroy())
      socket.pipe(target).pipe(socket)
    }
  })
  await startProducer(flaky.address).send({ topic: 'orders', value: 'x' })
  expect(resets).toBe(5)
  expect(requestsOf(kafka, 'Produce').map(({ apiVersion }) => apiVersion)).toEqual([13])
})

it('a leader that hangs up on every connection is tried again until the deadline, with waits between', async () => {
  const server = await plainServer((socket) => socket.destroy())
  const broker = await ScriptedBroker.start({
    onMetadata: (_question, good) => ({
      ...good,
      brokers: good.brokers.map((one) => ({ ...one, port: Number(server.address.split(':')[1]) })),
    }),
  })
  const producer = startProducer(broker.address, { deliveryTimeoutMs: 300, retryBackoffMs: 20, retryBackoffMaxMs: 20 })
  const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'x' }))
  expect(error).toMatchObject({ code: 'DELIVERY_TIMEOUT', mayHaveBeenWritten: false })
  expect(error.attempts).toBeGreaterThan(1)
  await turns()
  expect(server.connections()).toBeLessThan(100)
})

it('an answer that nobody asked for closes the connection', async () => {
  const kafka = await startKafka({ topics: { orders: {} } })
  const producer = startProducer(kafka)
  kafka.spoil({ api: 'Produce' }, 'wrong-correlation-id')
  const error = await errorOf(startProducer(kafka, { retries: 0 }).send({ topic: 'orders', value: 'x' }))
  expect(error.message).toContain('correlation id')
  await producer.send({ topic: 'orders', value: 'y' })
})
