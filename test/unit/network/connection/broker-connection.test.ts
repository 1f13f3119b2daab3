import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ConnectionClosedError, RequestTimeoutError } from '../../../../src/errors.js'
import { BrokerConnection } from '../../../../src/network/connection/broker-connection.js'
import { initProducerId } from '../../../../src/protocol/apis/init-producer-id.js'
import { metadata, type MetadataRequest } from '../../../../src/protocol/apis/metadata.js'
import { produce } from '../../../../src/protocol/apis/produce.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'
import { encodeResponseFrame, GatheringBound } from '../../../../src/protocol/frame.js'
import { turns } from '../../../embedded/support/producers.js'
import { outgoing, recordBatch } from '../../protocol/records/support.js'

const ALL: MetadataRequest = {
  topics: null,
  allowAutoTopicCreation: true,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
}

/** A connection, and the server's end of it. */
async function connected({
  maxIdleMs = 60_000,
  maxResponseBytes = 10_000,
  gathering = new GatheringBound(1e9),
} = {}): Promise<{
  connection: BrokerConnection
  peer: Socket
  /** The socket has given its handle back: nothing of it is left in this process. */
  closed: Promise<void>
}> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const socket = connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  const [peer] = await accepted
  peer.on('error', () => undefined)
  const address = { host: '127.0.0.1', port }
  const connection = new BrokerConnection(socket, address, { clientId: 'test', maxResponseBytes, maxIdleMs, gathering })
  const closed = once(socket, 'close').then(() => undefined)
  onTestFinished(async () => {
    await connection.close(0)
    peer.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { connection, peer, closed }
}

function ask(connection: BrokerConnection, timeoutMs = 10_000) {
  return connection.request(metadata, 0, ALL, { timeoutMs })
}

function answer(correlationId: number): Buffer {
  return encodeResponseFrame(metadata, 0, correlationId, {
    throttleTimeMs: 0,
    brokers: [{ nodeId: correlationId, host: 'h', port: 1, rack: null }],
    clusterId: null,
    controllerId: -1,
    topics: [],
    clusterAuthorizedOperations: -0x80000000,
    errorCode: 0,
  })
}

/** Resolves once so many bytes have come in all. */
async function received(peer: Socket, count: number): Promise<void> {
  let size = 0
  while (size < count) size += ((await once(peer, 'data')) as [Buffer])[0].length
}

/** What the peer sees of the end of a connection; whatever comes before it is read. */
function endSeenBy(peer: Socket): Promise<'ended' | 'reset'> {
  peer.resume()
  return new Promise((resolve) => {
    peer.once('end', () => resolve('ended'))
    peer.once('error', () => resolve('reset'))
  })
}

describe('a connection that is given up', () => {
  it('with a request on it is reset: what was written and not delivered is forgotten', async () => {
    const { connection, peer } = await connected()
    const end = endSeenBy(peer)
    await expect(ask(connection, 20)).rejects.toThrow(RequestTimeoutError)
    expect(await end).toBe('reset')
  })

  it('since the peer has hung up gives its socket back', async () => {
    const { connection, peer, closed } = await connected()
    const asked = ask(connection)
    peer.end()
    await expect(asked).rejects.toThrow(ConnectionClosedError)
    await closed
  })

  it('without any is ended', async () => {
    const { connection, peer } = await connected()
    const asked = ask(connection)
    await received(peer, 4)
    peer.write(answer(0))
    await asked
    connection.abandon(new ConnectionClosedError('not wanted any more'))
    expect(await endSeenBy(peer)).toBe('ended')
  })

  it('with bytes of acks 0 is ended: their caller was told that the system has them', async () => {
    const { connection, peer } = await connected()
    await connection.sendOneWay(metadata, 0, ALL, { timeoutMs: 10_000 })
    connection.abandon(new ConnectionClosedError('not wanted any more'))
    expect(await endSeenBy(peer)).toBe('ended')
  })
})

describe('requests', () => {
  it('are pipelined, and answered in their order, however the answers are cut up', async () => {
    const { connection, peer } = await connected()
    const asked = [0, 1, 2].map(() => ask(connection))
    await received(peer, 3 * 4)
    const bytes = Buffer.concat([0, 1, 2].map(answer))
    for (const byte of bytes) {
      peer.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await Promise.all(asked)).map(({ brokers }) => brokers[0]?.nodeId)).toEqual([0, 1, 2])
  })

  it('time out after their own time, though one before had more of it', async () => {
    const { connection, peer } = await connected()
    const patient = ask(connection, 600_000)
    peer.write(answer(0))
    await patient
    await expect(ask(connection, 20)).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
    expect(connection.isOpen).toBe(false)
  })

  it('have time from the answer before on, since a broker serves them one by one', async () => {
    const { connection, peer } = await connected()
    const started = performance.now()
    const [first, second] = [ask(connection, 400), ask(connection, 400)]
    second.catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 250))
    peer.write(answer(0))
    await first
    await expect(second).rejects.toMatchObject({ code: 'REQUEST_TIMEOUT' })
    expect(performance.now() - started).toBeGreaterThanOrEqual(645)
  })

  it('with more time than a timer can hold wait for their answer, and do not spin', async () => {
    const { connection, peer } = await connected()
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const asked = ask(connection, 2 ** 33)
    await new Promise((resolve) => setTimeout(resolve, 20))
    peer.write(answer(0))
    await asked
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  it('all fail, each once, when the peer ends the connection', async () => {
    const { connection, peer } = await connected()
    const asked = [ask(connection), ask(connection)]
    const settled = Promise.allSettled(asked)
    let closed = 0
    connection.onClose(() => closed++)
    peer.end()
    expect((await settled).map((one) => one.status === 'rejected' && (one.reason as { code: string }).code)).toEqual([
      'CONNECTION_CLOSED',
      'CONNECTION_CLOSED',
    ])
    await expect(ask(connection)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await expect(connection.sendOneWay(metadata, 0, ALL, { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'CONNECTION_CLOSED',
    })
    expect(closed).toBe(1)
  })

  it.each([
    ['of a size beyond the bound', Buffer.from([0, 1, 0, 0])],
    ['of a negative size', Buffer.from([255, 255, 255, 255])],
    ['too short for a correlation id', Buffer.from([0, 0, 0, 3, 0, 0, 0])],
    ['to another question', answer(7)],
    ['that goes on after its end', lengthened(answer(0))],
    ['that ends too early', shortened(answer(0))],
  ])('fail at an answer %s, and the connection closes', async (_, bytes) => {
    const { connection, peer } = await connected()
    const asked = ask(connection)
    peer.write(bytes)
    await expect(asked).rejects.toMatchObject({ code: 'MALFORMED_RESPONSE', retriable: true })
    expect(connection.isOpen).toBe(false)
  })

  it('an answer that nobody waits for closes the connection', async () => {
    const { connection, peer } = await connected()
    const closed = new Promise<void>((resolve) => connection.onClose(resolve))
    peer.write(answer(0))
    await closed
    expect(connection.isOpen).toBe(false)
  })

  it('that cannot be encoded leave the connection as it was', async () => {
    const { connection, peer } = await connected()
    await expect(connection.request(metadata, 0, { ...ALL, topics: [] }, { timeoutMs: 1_000 })).rejects.toThrow(
      'empty list',
    )
    const asked = ask(connection)
    peer.write(answer(0))
    expect((await asked).brokers).toHaveLength(1)
  })
})

describe('close', () => {
  it('ends the connection after what was written, and fails what waits for an answer', async () => {
    const { connection, peer } = await connected()
    let bytes = 0
    peer.on('data', (chunk: Buffer) => (bytes += chunk.length))
    const ended = once(peer, 'end')
    const sent = connection.sendOneWay(metadata, 0, ALL, { timeoutMs: 10_000 })
    const asked = ask(connection)
    asked.catch(() => undefined)
    const closing = connection.close(5_000)
    await expect(asked).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await ended
    await sent
    expect(bytes).toBeGreaterThan(20)
    peer.end()
    await closing
    await connection.close(5_000)
  })

  it('lets what is still in the socket go first, however large', async () => {
    const { connection, peer } = await connected()
    const records = Buffer.alloc(16 * 1024 * 1024)
    const topicData = [{ name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records }] }]
    peer.pause()
    const sent = connection.sendOneWay(
      produce,
      3,
      { transactionalId: null, acks: 0, timeoutMs: 1_000, topicData },
      { timeoutMs: 20_000 },
    )
    const closing = connection.close(20_000)
    let bytes = 0
    peer.on('data', (chunk: Buffer) => (bytes += chunk.length))
    peer.on('end', () => peer.end())
    peer.resume()
    await Promise.all([sent, closing])
    expect(bytes).toBeGreaterThan(records.length)
  })

  it('cuts off a peer that does not end', async () => {
    const { connection } = await connected()
    await connection.close(10)
    expect(connection.isOpen).toBe(false)
  })
})

it('an idle connection closes', async () => {
  const { connection, peer } = await connected({ maxIdleMs: 30 })
  const closed = new Promise<void>((resolve) => connection.onClose(resolve))
  const asked = ask(connection)
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(connection.isOpen).toBe(true)
  peer.write(answer(0))
  await asked
  await closed
})

/** A Produce request of one message for one partition. */
const ONE_MESSAGE = {
  transactionalId: null,
  acks: 0,
  timeoutMs: 1_000,
  topicData: [
    { name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records: recordBatch([outgoing({})]) }] },
  ],
}

function sizeOf(bytes: number): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes)
  return size
}

function produceAnswer(correlationId: number): Buffer {
  return encodeResponseFrame(produce, 3, correlationId, { responses: [], throttleTimeMs: 0, nodeEndpoints: [] })
}

describe('an answer larger than what was asked can need closes the connection with its size', () => {
  const topics = [{ name: 'orders', topicId: ZERO_UUID }]
  const named = { ...ALL, topics }
  const id = {
    transactionalId: null,
    transactionTimeoutMs: 0,
    producerId: -1n,
    producerEpoch: -1,
    enable2Pc: false,
    keepPreparedTxn: false,
  }
  it.each([
    ['of Produce', 1_000_000, (c: BrokerConnection) => c.request(produce, 3, ONE_MESSAGE, { timeoutMs: 10_000 })],
    ['of Metadata', 10_000_000, (c: BrokerConnection) => c.request(metadata, 4, named, { timeoutMs: 10_000 })],
    ['of all Metadata', 20_000_000, (c: BrokerConnection) => c.request(metadata, 0, ALL, { timeoutMs: 10_000 })],
    ['of another request', 100_000, (c: BrokerConnection) => c.request(initProducerId, 0, id, { timeoutMs: 10_000 })],
    ['of a token', 2_000_000, (c: BrokerConnection) => c.exchangeToken(Buffer.of(1), { timeoutMs: 10_000 })],
  ])('%s', async (_, bytes, send) => {
    const { connection, peer } = await connected({ maxResponseBytes: 100_000_000 })
    const asked = send(connection)
    peer.write(sizeOf(bytes))
    await expect(asked).rejects.toMatchObject({ code: 'MALFORMED_RESPONSE' })
  })
})

describe('bytes that nobody asked for', () => {
  it.each([
    ['before a request', async () => undefined],
    [
      'after an answer',
      async (connection: BrokerConnection, peer: Socket) => {
        const asked = ask(connection)
        peer.write(answer(0))
        await asked
      },
    ],
  ])('%s close the connection with the first of them', async (_, before) => {
    const { connection, peer } = await connected()
    await before(connection, peer)
    const closed = new Promise<void>((resolve) => connection.onClose(resolve))
    peer.write(Buffer.of(0))
    await closed
    expect(connection.gone.reason).toMatchObject({
      message: expect.stringContaining('sent bytes that nothing asked for'),
    })
  })

  it('behind an answer, in the same piece, do not harm that answer', async () => {
    const { connection, peer } = await connected()
    const closed = new Promise<void>((resolve) => connection.onClose(resolve))
    const asked = ask(connection)
    peer.write(Buffer.concat([answer(0), Buffer.of(0)]))
    expect((await asked).brokers).toHaveLength(1)
    await closed
    expect(connection.gone.reason).toMatchObject({
      message: expect.stringContaining('sent bytes that nothing asked for'),
    })
    // Nobody else may be there to tell of it.
    await expect(ask(connection)).rejects.toMatchObject({
      code: 'CONNECTION_CLOSED',
      message: expect.stringMatching(/ is closed: .* sent bytes that nothing asked for$/),
      cause: { code: 'MALFORMED_RESPONSE' },
    })
  })
})

describe('answers to requests that want none', () => {
  it('are passed over, also those that come before the answer to another, and between its own bytes', async () => {
    const { connection, peer } = await connected()
    await connection.sendOneWay(produce, 3, ONE_MESSAGE, { timeoutMs: 60_000 })
    await connection.sendOneWay(produce, 3, ONE_MESSAGE, { timeoutMs: 60_000 })
    const asked = ask(connection)
    await connection.sendOneWay(produce, 3, ONE_MESSAGE, { timeoutMs: 60_000 })
    for (const byte of Buffer.concat([produceAnswer(0), produceAnswer(1), answer(2), produceAnswer(3)]))
      peer.write(Buffer.of(byte))
    expect((await asked).brokers).toHaveLength(1)
    const again = ask(connection)
    peer.write(answer(4))
    expect((await again).brokers).toHaveLength(1)
  })

  it('may be left out, for all or some', async () => {
    const { connection, peer } = await connected()
    for (let i = 0; i < 3; i++) await connection.sendOneWay(produce, 3, ONE_MESSAGE, { timeoutMs: 60_000 })
    peer.write(produceAnswer(1))
    const asked = ask(connection)
    peer.write(answer(3))
    expect((await asked).brokers).toHaveLength(1)
  })

  it.each([
    ['twice', [produceAnswer(0), produceAnswer(0)]],
    ['of one that was not sent', [produceAnswer(5)]],
    ['larger than what was asked can need', [sizeOf(1_000_000)]],
  ])('close the connection: %s', async (_, bytes) => {
    const { connection, peer } = await connected({ maxResponseBytes: 100_000_000 })
    const closed = new Promise<void>((resolve) => connection.onClose(resolve))
    await connection.sendOneWay(produce, 3, ONE_MESSAGE, { timeoutMs: 60_000 })
    peer.write(Buffer.concat(bytes))
    await closed
    expect(connection.gone.reason).toMatchObject({ code: 'MALFORMED_RESPONSE' })
  })

  it('are not waited for without end once they have begun', async () => {
    const { connection, peer } = await connected()
    const closed = new Promise<void>((resolve) => connection.onClose(resolve))
    await connection.sendOneWay(produce, 3, ONE_MESSAGE, { timeoutMs: 60_000 })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    peer.write(produceAnswer(0).subarray(0, 6))
    while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(29_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(connection.isOpen).toBe(true)
    vi.advanceTimersByTime(2_000)
    await closed
  })
})

it('a connection that is closed gives back what it held of an answer', async () => {
  const gathering = new GatheringBound(5_000)
  const holds = new Promise<void>((resolve) => {
    const take = gathering.take.bind(gathering)
    gathering.take = (bytes) => resolve(take(bytes))
  })
  const { connection, peer } = await connected({ gathering })
  const failed = expect(ask(connection)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  peer.write(answer(0).subarray(0, 6))
  await holds
  expect(() => gathering.take(5_000)).toThrow('allowed are 5000 on all connections together')
  await connection.close(0)
  await failed
  gathering.take(5_000)
})

function lengthened(frame: Buffer): Buffer {
  const longer = Buffer.concat([frame, Buffer.from([0])])
  longer.writeInt32BE(longer.length - 4, 0)
  return longer
}

function shortened(frame: Buffer): Buffer {
  const shorter = Buffer.from(frame.subarray(0, -1))
  shorter.writeInt32BE(shorter.length - 4, 0)
  return shorter
}

describe('a request without an answer', () => {
  const large = () => ({
    transactionalId: null,
    acks: 0,
    timeoutMs: 1_000,
    topicData: [{ name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records: Buffer.alloc(16 << 20) }] }],
  })
  const send = (connection: BrokerConnection) => connection.sendOneWay(produce, 3, large(), { timeoutMs: 20_000 })

  it('fails when the connection ends before the system has its bytes', async () => {
    const { connection, peer } = await connected()
    peer.pause()
    const sent = [send(connection), send(connection)].map((promise) => promise.catch((error: unknown) => error))
    connection.abandon(new RequestTimeoutError('given up'))
    expect(await Promise.all(sent)).toEqual([1, 2].map(() => expect.objectContaining({ code: 'REQUEST_TIMEOUT' })))
  })

  it('fails when close() has to cut the peer off', async () => {
    const { connection, peer } = await connected()
    peer.pause()
    const sent = send(connection).catch((error: unknown) => error)
    await connection.close(10)
    expect(await sent).toMatchObject({ code: 'CONNECTION_CLOSED' })
  })

  it('has its time from the one before on, and then closes the connection', async () => {
    const { connection, peer } = await connected()
    peer.pause()
    const sent = connection.sendOneWay(produce, 3, large(), { timeoutMs: 50 }).catch((error: unknown) => error)
    expect(await sent).toMatchObject({ code: 'REQUEST_TIMEOUT' })
    expect(connection.isOpen).toBe(false)
  })
})

it('of requests that were held those go that are wanted yet, and the others fail with what ends the connection', async () => {
  const { connection, peer } = await connected()
  connection.holdRequests()
  const calledOff = new AbortController()
  const unwanted = connection.request(metadata, 0, ALL, { timeoutMs: 10_000, signal: calledOff.signal })
  const wanted = ask(connection)
  calledOff.abort(new Error('called off'))
  connection.releaseRequests()
  await expect(unwanted).rejects.toThrow('called off')
  await received(peer, 4)
  peer.write(answer(1))
  expect((await wanted).brokers).toMatchObject([{ nodeId: 1 }])
  connection.holdRequests()
  const held = ask(connection)
  connection.abandon(new ConnectionClosedError('not wanted any more'))
  const seen = await Promise.race([held.catch((error: unknown) => error), turns(5)])
  expect(seen).toMatchObject({ message: 'not wanted any more' })
})

it('requests that were held all fail where the stream throws on the first of them', async () => {
  const stream = new Duplex({ read: () => undefined })
  stream.write = () => {
    throw new Error('no longer')
  }
  const connection = new BrokerConnection(
    stream,
    { host: 'h', port: 1 },
    { clientId: 'test', maxResponseBytes: 10_000, maxIdleMs: 60_000 },
  )
  connection.holdRequests()
  const held = [ask(connection), ask(connection), connection.sendOneWay(metadata, 0, ALL, { timeoutMs: 10_000 })]
  connection.releaseRequests()
  const failed = { status: 'rejected', reason: expect.any(ConnectionClosedError) as unknown }
  expect(await Promise.allSettled(held)).toEqual([failed, failed, failed])
})
