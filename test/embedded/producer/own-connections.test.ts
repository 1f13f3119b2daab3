import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Producer, type BrokerAddress, type CreateConnection } from '../../../src/index.js'
import { BatchBuffers } from '../../../src/producer/queues/batch-buffers.js'
import { CertificateAuthority, type KeyPair } from '../support/certificates.js'
import { startKafka } from '../support/cluster.js'
import { deliveryErrorOf, errorOf, startProducer, stored, turns, until, valuesOf } from '../support/producers.js'

let authority: CertificateAuthority
let server: KeyPair

beforeAll(() => {
  authority = new CertificateAuthority()
  server = authority.issue({ names: 'DNS:kafka.internal' })
})
afterAll(() => authority.remove())

const topics = { orders: { partitions: 2 } }

/** A stream that is no socket, with one behind it. */
class Bridge extends Duplex {
  constructor(protected readonly inner: Socket) {
    super()
    inner.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) inner.pause()
    })
    inner.on('end', () => this.push(null))
    inner.on('error', (error) => this.destroy(error))
    inner.on('close', () => this.destroy())
  }

  override _read(): void {
    this.inner.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.inner.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.inner.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.inner.destroy()
    done(error)
  }
}

/** One that says of itself what a socket does while it is connecting, and has no more of one. */
class ConnectingBridge extends Bridge {
  constructor(inner: Socket) {
    super(inner)
    inner.on('connect', () => this.emit('connect'))
  }

  get connecting(): boolean {
    return this.inner.connecting
  }
}

const fail = (): never => {
  throw new Error('no')
}

/** Once: of what is destroyed already others may destroy it again. */
function throwsOnDestroy(stream: Duplex): Duplex {
  const destroy = stream.destroy.bind(stream)
  stream.destroy = (error) => {
    stream.destroy = destroy
    destroy(error)
    return fail()
  }
  return stream
}

/** To a port of this machine, whatever host is asked for. */
async function tunnelTo(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  return socket
}

const bridge: CreateConnection = async ({ port }) => new Bridge(await tunnelTo(port))
const connectingBridge: CreateConnection = ({ port }) => new ConnectingBridge(connect({ host: '127.0.0.1', port }))

describe('createConnection gives the streams to brokers', () => {
  it.each<[string, CreateConnection]>([
    ['sockets', ({ port }) => tunnelTo(port)],
    ['sockets that connect yet', ({ port }) => connect({ host: '127.0.0.1', port })],
    ['other streams', bridge],
    ['other streams that connect yet', connectingBridge],
  ])('that are %s', async (_, create) => {
    const kafka = await startKafka({ brokers: 2, topics, host: '127.0.0.1' })
    const asked: BrokerAddress[] = []
    const producer = startProducer(kafka, {
      createConnection: (address, signal) => {
        asked.push(address)
        return create(address, signal)
      },
    })
    await Promise.all(
      [0, 1].map((partition) => producer.send({ topic: 'orders', partition, value: `to ${partition}` })),
    )
    expect([stored(kafka, 'orders', 0), stored(kafka, 'orders', 1)]).toEqual([['to 0'], ['to 1']])
    const ports = new Set(asked.map(({ host, port }) => `${host}:${port}`))
    expect(ports).toEqual(new Set(kafka.bootstrap.split(',')))
    await producer.close()
    await until(() => kafka.connections.length === 0, 'all are closed')
  })

  it('and no name is looked up', async () => {
    const kafka = await startKafka({ topics })
    const { port } = kafka.brokers[0] as BrokerAddress
    // That nobody could: it is no name of anything.
    const producer = startProducer(`nowhere.invalid:${port}`, {
      createConnection: () => tunnelTo(port),
    })
    const [metadata] = await producer.send({ topic: 'orders', value: 'v' })
    expect(metadata?.offset).toBe(0n)
  })

  it('and what is written goes at once: a socket waits for no answers to what went before', async () => {
    const kafka = await startKafka({ topics })
    const sockets: Socket[] = []
    const noDelay = vi.spyOn(Socket.prototype, 'setNoDelay')
    onTestFinished(() => noDelay.mockRestore())
    const createConnection: CreateConnection = async (address) => {
      const socket = connect(address)
      await once(socket, 'connect')
      sockets.push(socket)
      return socket
    }
    await startProducer(kafka, { createConnection }).send({ topic: 'orders', value: 'x' })
    expect(sockets).not.toHaveLength(0)
    for (const socket of sockets) expect(noDelay.mock.contexts).toContain(socket)
  })

  it('TLS goes on top, for the name that the broker has', async () => {
    const kafka = await startKafka({ topics, ssl: server })
    const { port } = kafka.brokers[0] as BrokerAddress
    const { signal } = new AbortController()
    const to = { host: '', port }
    for (const create of [() => tunnelTo(port), () => bridge(to, signal), () => connectingBridge(to, signal)]) {
      const producer = startProducer(`kafka.internal:${port}`, {
        ssl: { ca: authority.cert, servername: 'kafka.internal' },
        createConnection: create,
      })
      await producer.send({ topic: 'orders', value: 'v', partition: 0 })
      await producer.close()
    }
    expect(stored(kafka, 'orders', 0)).toEqual(['v', 'v', 'v'])
    await until(() => kafka.connections.length === 0, 'all are closed')
  })

  it('and is told what TLS on top failed at', async () => {
    const kafka = await startKafka({ topics, ssl: server })
    const producer = startProducer(kafka, { ssl: true, createConnection: bridge })
    const error = await deliveryErrorOf(producer.send({ topic: 'orders', value: 'v' }))
    expect(error).toMatchObject({ code: 'TLS_FAILED', mayHaveBeenWritten: false })
    await until(() => kafka.connections.length === 0, 'all are closed')
  })

  it('SASL goes over it, and nobody warns of clear text, which is up to the stream', async () => {
    const kafka = await startKafka({ topics, sasl: { users: { alice: 'wonderland' } } })
    const { port } = kafka.brokers[0] as BrokerAddress
    const warn = vi.spyOn(process, 'emitWarning')
    onTestFinished(() => warn.mockRestore())
    const producer = startProducer(`kafka.internal:${port}`, {
      sasl: { mechanism: 'plain', username: 'alice', password: 'wonderland' },
      createConnection: () => bridge({ host: '', port }, new AbortController().signal),
    })
    await producer.send({ topic: 'orders', value: 'v' })
    expect(kafka.authentications.every(({ succeeded }) => succeeded)).toBe(true)
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('what createConnection does wrong is told, and the next attempt may do better', () => {
  class Odd {
    readonly destroy = () => {
      throw new Error('not even that')
    }
  }
  const ended = () => {
    const stream = new PassThrough()
    stream.destroy()
    return stream
  }
  it.each<[string, () => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no proxy')
      },
      /`createConnection` failed: no proxy/,
    ],
    [
      'throws no Error',
      () => {
        throw 'secret' as unknown as Error
      },
      /`createConnection` failed: it threw no Error/,
    ],
    ['rejects', () => Promise.reject(new Error('no tunnel')), /`createConnection` failed: no tunnel/],
    ['never settles', () => new Promise(() => undefined), /`createConnection` gave no stream within 50 ms/],
    ['gives nothing', () => undefined, /gave undefined, allowed is a stream of bytes/],
    ['gives a string', () => 'kafka:9092', /gave a string, allowed/],
    ['gives an object', () => Promise.resolve(new Odd()), /gave an object \(Odd\), allowed/],
    ['gives objects', () => new PassThrough({ objectMode: true }), /gave a stream of objects/],
    ['gives text', () => new PassThrough().setEncoding('utf8'), /gave a stream that makes text of bytes/],
    ['gives what is closed', ended, /gave a stream that is closed/],
  ])('%s', async (_, give, text) => {
    const kafka = await startKafka({ topics })
    const failing = startProducer(kafka, { connectTimeoutMs: 50, createConnection: give as CreateConnection })
    const error = await errorOf(failing.partitionsFor('orders'))
    expect(error.message).toMatch(text)
    for (let each: unknown = error; each !== undefined; each = (each as Error).cause)
      expect(inspect(each)).not.toContain('secret')
    let calls = 0
    const producer = startProducer(kafka, {
      connectTimeoutMs: text.source.includes('50 ms') ? 50 : 5_000,
      createConnection: ((address, signal) => (++calls <= 2 ? give() : bridge(address, signal))) as CreateConnection,
    })
    await producer.send({ topic: 'orders', value: 'v', partition: 0 })
    expect(stored(kafka, 'orders', 0)).toEqual(['v'])
  })

  it('a stream that is paused is read all the same', async () => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, { createConnection: async ({ port }) => (await tunnelTo(port)).pause() })
    await producer.send({ topic: 'orders', value: 'v' })
    expect(stored(kafka, 'orders', 0).concat(stored(kafka, 'orders', 1))).toEqual(['v'])
  })

  it('a stream that somebody else reads is refused', async () => {
    const kafka = await startKafka({ topics })
    const producer = startProducer(kafka, {
      createConnection: async ({ port }) => (await tunnelTo(port)).on('readable', () => undefined),
      deliveryTimeoutMs: 500,
      requestTimeoutMs: 200,
    })
    const error = await errorOf(producer.connect())
    expect(String(error)).toContain("a stream with a listener for 'readable'")
  })

  it('an error of a stream that nobody listens to yet ends no process', async () => {
    const kafka = await startKafka({ topics })
    let calls = 0
    const producer = startProducer(kafka, {
      createConnection: async (address, signal) => {
        const stream = await bridge(address, signal)
        if (++calls <= 2) process.nextTick(() => stream.destroy(new Error('gone at once')))
        return stream
      },
    })
    await producer.send({ topic: 'orders', value: 'v' })
    expect(calls).toBeGreaterThan(2)
  })

  it('a stream that throws when it is written to costs its connection, and what waits on it goes again', async () => {
    const kafka = await startKafka({ topics })
    let calls = 0
    const producer = startProducer(kafka, {
      createConnection: async (address, signal) => {
        const stream = await bridge(address, signal)
        if (++calls <= 2) {
          stream.write = () => {
            throw new Error('written to')
          }
        }
        return stream
      },
    })
    await producer.send({ topic: 'orders', value: 'v', partition: 0 })
    expect(stored(kafka, 'orders', 0)).toEqual(['v'])
  })
})

describe('a stream that nobody waits for any more', () => {
  it('has its signal aborted after connectTimeoutMs, and is destroyed when it comes', async () => {
    const kafka = await startKafka({ topics })
    const late: Socket[] = []
    const signals: AbortSignal[] = []
    let give: (() => void) | undefined
    const producer = startProducer(kafka, {
      connectTimeoutMs: 50,
      createConnection: async (address, signal) => {
        signals.push(signal)
        if (signals.length > 1) return bridge(address, signal)
        await new Promise<void>((resolve) => (give = resolve))
        const socket = await tunnelTo(address.port)
        late.push(socket)
        return socket
      },
    })
    await producer.send({ topic: 'orders', value: 'v' })
    expect(signals[0]?.aborted).toBe(true)
    give?.()
    await until(() => late[0]?.destroyed === true, 'it is destroyed')
    expect(signals.slice(1).some(({ aborted }) => aborted)).toBe(false)
  })

  it('is called off when the producer closes', async () => {
    let signal: AbortSignal | undefined
    let give: ((stream: Duplex) => void) | undefined
    const producer = startProducer('kafka.internal:9092', {
      createConnection: (_, itsSignal) => {
        signal = itsSignal
        return new Promise<Duplex>((resolve) => (give = resolve))
      },
    })
    const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'v' }))
    await until(() => signal !== undefined, 'it is asked')
    await producer.close({ timeoutMs: 0 })
    expect((await sending).code).toBe('PRODUCER_CLOSED')
    expect(signal?.aborted).toBe(true)
    const stream = new PassThrough()
    give?.(stream)
    await once(stream, 'close')
  })

  it('is not asked for when the options for TLS come after the producer has closed', async () => {
    const create = vi.fn<CreateConnection>(() => new PassThrough())
    let give: ((options: object) => void) | undefined
    const producer = startProducer('kafka.internal:9092', {
      ssl: () => new Promise<object>((resolve) => (give = resolve)),
      createConnection: create,
    })
    const sending = deliveryErrorOf(producer.send({ topic: 'orders', value: 'v' }))
    await until(() => give !== undefined, 'the options are asked for')
    await producer.close({ timeoutMs: 0 })
    expect((await sending).code).toBe('PRODUCER_CLOSED')
    give?.({})
    await turns(10)
    expect(create).not.toHaveBeenCalled()
  })
})

describe('what goes over a stream that the user gave', () => {
  /** A proxy that hangs up on the first connection which has brought so many bytes. */
  async function cuttingProxy(target: number, afterBytes: number): Promise<number> {
    let isCut = false
    const proxy = createServer((near) => {
      const far = connect(target, '127.0.0.1')
      let seen = 0
      near.on('data', (chunk) => {
        seen += chunk.length
        if (seen >= afterBytes && !isCut) {
          isCut = true
          far.destroy()
          near.destroy()
        } else far.write(chunk)
      })
      far.on('data', (chunk) => near.write(chunk))
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        one.on('error', () => undefined)
        one.on('close', () => other.destroy())
      }
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void proxy.close())
    return (proxy.address() as AddressInfo).port
  }

  it('goes again where it closes half-way', async () => {
    const kafka = await startKafka({ topics })
    const port = await cuttingProxy((kafka.brokers[0] as BrokerAddress).port, 20_000)
    const producer = startProducer(kafka, { createConnection: () => tunnelTo(port) })
    const value = 'x'.repeat(5_000)
    for (let i = 0; i < 10; i++) await producer.send({ topic: 'orders', partition: 0, value: `${i}${value}` })
    // The proxy may have passed on what it then hung up on.
    const values = valuesOf(kafka.records('orders')).map((text) => Number(text?.[0]))
    expect([...new Set(values)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('is in buffers that are not used again: the stream may look at them later', async () => {
    const kafka = await startKafka({ topics })
    const spy = vi.spyOn(BatchBuffers.prototype, 'giveBack')
    onTestFinished(() => spy.mockRestore())
    /** Whether that memory was given back: what a batch outgrew before it was sent may be. */
    const isGivenBack = (bytes: Buffer) => spy.mock.calls.some(([buffer]) => buffer.buffer === bytes.buffer)
    const seen: { bytes: Buffer; copy: Buffer }[] = []
    const producer = startProducer(kafka, {
      createConnection: async (address, signal) => {
        const stream = await bridge(address, signal)
        const write = stream.write.bind(stream) as (bytes: Buffer, done?: () => void) => boolean
        stream.write = ((bytes: Buffer, done?: () => void) => {
          seen.push({ bytes, copy: Buffer.from(bytes) })
          return write(bytes, done)
        }) as typeof stream.write
        return stream
      },
    })
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', value: `value ${i}`.repeat(1_000) })
    expect(seen.every(({ bytes, copy }) => bytes.equals(copy))).toBe(true)
    expect(seen.some(({ bytes }) => isGivenBack(bytes))).toBe(false)
    spy.mockClear()
    const plain = startProducer(kafka)
    await plain.send({ topic: 'orders', value: 'v'.repeat(5_000) })
    await until(() => spy.mock.calls.some(([buffer]) => buffer.length > 5_000), 'on sockets of its own they are')
  })
})

it.each<[string, (stream: Duplex) => void]>([
  ['does not tell that it is closed', (stream) => void (stream.emit = withoutClose(stream))],
  ['never ends being destroyed', (stream) => void (stream._destroy = () => undefined)],
  ['throws when it is ended', (stream) => void (stream.end = () => fail())],
])('close() is over in time where a stream %s', async (_, spoil) => {
  const kafka = await startKafka({ topics, host: '127.0.0.1' })
  const given: Duplex[] = []
  const createConnection: CreateConnection = async (address, signal) => {
    const stream = await bridge(address, signal)
    given.push(stream)
    spoil(stream)
    return stream
  }
  const producer = new Producer({ brokers: kafka.bootstrap, createConnection })
  await producer.send({ topic: 'orders', value: 'x' })
  await producer.close()
  expect(given.map(({ destroyed }) => destroyed)).toEqual(given.map(() => true))
  expect(stored(kafka, 'orders')).toEqual(['x'])
})

it.each<[string, (stream: Duplex) => unknown]>([
  ['ends with undefined', (stream) => stream.emit('error')],
  ['ends with null', (stream) => stream.emit('error', null)],
  ['ends with a text', (stream) => stream.destroy('SECRET' as unknown as Error)],
  ['ends with an object that can’t be read', (stream) => stream.emit('error', { get message() { return fail() } })], // prettier-ignore
  [
    'ends with an error that says no text',
    (stream) => stream.emit('error', Object.assign(new Error(), { message: 5 })),
  ],
  ['can’t write, and says so by a text', (stream) => void (stream._write = (_, __, done) => done('SECRET' as unknown as Error))], // prettier-ignore
  ['gives text', (stream) => stream.emit('data', 'text')],
  ['gives nothing', (stream) => stream.emit('data')],
  ['ends, and throws when it is destroyed', (stream) => throwsOnDestroy(stream).push(null)],
])('a stream that %s is a connection that was lost: messages go on another one', async (_, spoil) => {
  const kafka = await startKafka({ topics, host: '127.0.0.1' })
  const given: Duplex[] = []
  const createConnection: CreateConnection = async (address, signal) => {
    const stream = await bridge(address, signal)
    given.push(stream)
    return stream
  }
  for (const acks of [-1, 0] as const) {
    const producer = startProducer(kafka, { createConnection, acks })
    const told: string[] = []
    producer.on('warning', ({ message }) => void told.push(message))
    await producer.send({ topic: 'orders', partition: 0, value: 'known' })
    kafka.delay({ api: 'Produce' }, 20)
    const sending = [0, 1].map((partition) => producer.send({ topic: 'orders', partition, value: `after ${acks}` }))
    await new Promise((resolve) => setImmediate(resolve))
    for (const stream of given.splice(0)) spoil(stream)
    await Promise.all(sending)
    await producer.send({ topic: 'orders', partition: 1, value: 'last' })
    expect(inspect([producer.health(), told], { depth: 9 })).not.toContain('SECRET')
  }
  await until(() => stored(kafka, 'orders', 1).includes('after -1'), 'the message is there')
})

it('a stream may give bytes that are no Buffers', async () => {
  const kafka = await startKafka({ topics, host: '127.0.0.1' })
  const createConnection: CreateConnection = async (address, signal) => {
    const stream = await bridge(address, signal)
    const emit = stream.emit.bind(stream) as (event: string | symbol, ...args: unknown[]) => boolean
    stream.emit = (event: string | symbol, ...args: unknown[]) =>
      emit(event, ...(event === 'data' ? [new Uint8Array(args[0] as Buffer)] : args))
    return stream
  }
  await startProducer(kafka, { createConnection }).send({ topic: 'orders', value: 'x' })
  expect(stored(kafka, 'orders')).toEqual(['x'])
})

it('of streams that do not tell that they are closed none is kept', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const kafka = await startKafka({ topics, host: '127.0.0.1' })
  const given: WeakRef<Socket>[] = []
  const createConnection: CreateConnection = (address) => {
    const stream = connect(address)
    stream.emit = withoutClose(stream)
    given.push(new WeakRef(stream))
    return stream
  }
  const producer = startProducer(kafka, { createConnection, retryBackoffMs: 1 })
  for (let i = 0; i < 20; i++) {
    await producer.send({ topic: 'orders', value: String(i) })
    kafka.dropConnections(1)
  }
  await producer.send({ topic: 'orders', value: 'last' })
  // What a WeakRef was asked for stays until the turn is over.
  await turns()
  gc()
  expect(given.length).toBeGreaterThan(20)
  expect(given.filter((stream) => stream.deref() !== undefined).length).toBeLessThan(10)
})

/** As streams made with `emitClose: false` are. */
function withoutClose(stream: Duplex): Duplex['emit'] {
  const emit = stream.emit.bind(stream) as (event: string | symbol, ...args: unknown[]) => boolean
  return (event: string | symbol, ...args: unknown[]) => event !== 'close' && emit(event, ...args)
}
