import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ADDRESSES } from './addresses.js'
import { Proxy } from './proxy.js'
import { CALM } from './weather.js'

const CLIENT = 'chaos-1-1'
const PRODUCE = 0
const METADATA = 3

const toClose: (() => void)[] = []
afterEach(() => {
  for (const close of toClose.splice(0)) close()
})

/** A broker that answers every request with its correlation id, and a proxy before it. */
async function setUp() {
  const lines: string[] = []
  const received: Buffer[] = []
  const broker = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    let request = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      received.push(bytes)
      request = Buffer.concat([request, bytes])
      // One after the other comes here.
      if (request.length < 4 || request.length < 4 + request.readInt32BE()) return
      const answer = Buffer.alloc(8)
      answer.writeInt32BE(4)
      request.copy(answer, 4, 8, 12)
      request = Buffer.alloc(0)
      socket.write(answer)
    })
  }).listen(0, '127.0.0.1')
  await once(broker, 'listening')
  const proxy = await Proxy.start(
    1,
    (clientId) => clientId === CLIENT,
    (line) => lines.push(line),
  )
  proxy.target = (broker.address() as AddressInfo).port
  toClose.push(
    () => proxy.close(),
    () => broker.close(),
  )
  const open = async (address: string = ADDRESSES[0], port = proxy.port): Promise<Socket> => {
    const socket = connect(port, address)
    toClose.push(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { proxy, open, lines, received }
}

function request(api: number, correlationId: number, clientId = CLIENT): Buffer {
  const head = Buffer.alloc(14)
  head.writeInt16BE(api, 4)
  head.writeInt32BE(correlationId, 8)
  head.writeInt16BE(clientId.length, 12)
  const frame = Buffer.concat([head, Buffer.from(clientId), Buffer.alloc(20)])
  frame.writeInt32BE(frame.length - 4)
  return frame
}

async function ask(socket: Socket, bytes: Buffer): Promise<number> {
  socket.write(bytes)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  return answer.readInt32BE(4)
}

/** Resolves with what the other side's end looks like. */
async function endOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.once('close', () => resolve('closed'))
  })
}

describe('the proxy before a broker', () => {
  it('leads to it, from each address', async () => {
    const { open } = await setUp()
    for (const address of ADDRESSES) expect(await ask(await open(address), request(METADATA, 7))).toBe(7)
  })

  it('swallows the answer to a Produce request that the broker has, and resets the connection', async () => {
    const { proxy, open, received } = await setUp()
    const socket = await open()
    proxy.weather = { swallowsAnswers: true }
    expect(await ask(socket, request(METADATA, 1))).toBe(1)
    socket.write(request(PRODUCE, 2))
    expect(await endOf(socket)).toBe('ECONNRESET')
    expect(received).toHaveLength(2)
  })

  it('holds what is lost in one direction until that is over', async () => {
    const { proxy, open, received } = await setUp()
    const socket = await open()
    await ask(socket, request(METADATA, 1))
    proxy.weather = { toClient: { isLost: true } }
    const answered = ask(socket, request(PRODUCE, 2))
    while (received.length < 2) await new Promise((resolve) => setImmediate(resolve))
    proxy.weather = CALM
    expect(await answered).toBe(2)
  })

  it('is like that for one client alone where it is asked to, and never for those who are not under test', async () => {
    const { proxy, open } = await setUp()
    proxy.weather = { toBroker: { isLost: true }, clientId: 'chaos-1-2' }
    expect(await ask(await open(), request(METADATA, 1))).toBe(1)
    proxy.weather = { toBroker: { isLost: true } }
    expect(await ask(await open(), request(METADATA, 2, 'rdkafka'))).toBe(2)
  })

  it('lets through what comes in drops, in order and whole', async () => {
    const { proxy, open, received } = await setUp()
    const socket = await open()
    proxy.weather = { toBroker: { bytesPerSecond: 500 } }
    socket.write(request(METADATA, 9))
    await once(socket, 'data')
    expect(received.length).toBeGreaterThan(1)
    expect(Buffer.concat(received)).toEqual(request(METADATA, 9))
  })

  it('leaves one side of a connection without a word of the end of the other', async () => {
    const { proxy, open } = await setUp()
    const socket = await open()
    await ask(socket, request(METADATA, 1))
    for (const connection of proxy.open()) connection.halve('broker')
    socket.on('data', () => expect.unreachable('nobody is there to answer'))
    await new Promise((resolve) => socket.write(request(METADATA, 2), resolve))
    expect(await ask(await open(), request(METADATA, 3))).toBe(3)
    expect(socket.closed).toBe(false)
  })

  it('moves: the old port is refused, or accepts in silence', async () => {
    const { proxy, open } = await setUp()
    const first = proxy.port
    await proxy.move('refused')
    await expect(open(ADDRESSES[0], first)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const second = proxy.port
    await proxy.move('silent')
    const socket = await open(ADDRESSES[0], second)
    socket.on('data', () => expect.unreachable('nobody is there to answer'))
    await new Promise((resolve) => socket.write(request(METADATA, 1), resolve))
    expect(await ask(await open(), request(METADATA, 2))).toBe(2)
  })

  it('has addresses that die and come back, one by one', async () => {
    const { proxy, open } = await setUp()
    const socket = await open(ADDRESSES[1])
    await ask(socket, request(METADATA, 1))
    const end = endOf(socket)
    proxy.kill(ADDRESSES[1], 'refused')
    expect(await end).toBe('ECONNRESET')
    await expect(open(ADDRESSES[1])).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(await ask(await open(ADDRESSES[0]), request(METADATA, 2))).toBe(2)
    await proxy.revive()
    expect(await ask(await open(ADDRESSES[1]), request(METADATA, 3))).toBe(3)
  })
})
