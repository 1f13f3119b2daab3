import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BrokerConnection } from '../../../src/network/broker-connection.js'
import { RequestBuffers } from '../../../src/network/request-buffers.js'
import { produce, type ProduceRequest } from '../../../src/protocol/apis/produce.js'
import { encodeResponseFrame } from '../../../src/protocol/frame.js'

const LARGE = 100_000

describe('RequestBuffers', () => {
  it('gives what came back again, and nothing twice', () => {
    const buffers = new RequestBuffers()
    const first = buffers.allocate(LARGE)
    const second = buffers.allocate(LARGE)
    expect(second.buffer).not.toBe(first.buffer)
    buffers.release(first.subarray(0, 10))
    expect(buffers.allocate(LARGE).buffer).toBe(first.buffer)
    expect([first.buffer, second.buffer]).not.toContain(buffers.allocate(LARGE).buffer)
  })

  it('leaves small buffers, huge ones and those of others alone', () => {
    const buffers = new RequestBuffers()
    for (const buffer of [buffers.allocate(100), buffers.allocate(50_000_000), Buffer.alloc(LARGE)]) {
      buffers.release(buffer)
      expect(buffers.allocate(LARGE).buffer).not.toBe(buffer.buffer)
    }
    expect(buffers.allocate(50_000_000)).toHaveLength(50_000_000)
  })

  it('keeps only a few', () => {
    const buffers = new RequestBuffers()
    const many = Array.from({ length: 20 }, () => buffers.allocate(LARGE))
    for (const buffer of many) buffers.release(buffer)
    const known = new Set(many.map(({ buffer }) => buffer))
    const again = Array.from({ length: 20 }, () => buffers.allocate(LARGE))
    expect(again.filter(({ buffer }) => known.has(buffer))).toHaveLength(8)
  })
})

describe('a connection', () => {
  it('writes to a buffer again once its request is answered, and not before', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const socket = connect({ host: '127.0.0.1', port })
    const [peer] = await accepted
    const buffers = new RequestBuffers()
    const connection = new BrokerConnection(socket, { host: '127.0.0.1', port }, 'test', LARGE, 60_000, buffers)
    onTestFinished(async () => {
      await connection.close(0)
      peer.destroy()
      await new Promise((resolve) => server.close(resolve))
    })
    const write = vi.spyOn(socket, 'write')
    const frames = framesOf(peer)
    const ask = (fill: string) =>
      connection.request(produce, 3, request(fill), { timeoutMs: 10_000, capacity: LARGE + 100 })

    const first = ask('a')
    const second = ask('b')
    expect(content(await frames.next())).toBe('a'.repeat(LARGE))
    expect(content(await frames.next())).toBe('b'.repeat(LARGE))
    const third = ask('c')
    peer.write(answer(0))
    await first
    const fourth = ask('d')
    expect(content(await frames.next())).toBe('c'.repeat(LARGE))
    expect(content(await frames.next())).toBe('d'.repeat(LARGE))
    for (const id of [1, 2, 3]) peer.write(answer(id))
    await Promise.all([second, third, fourth])
    const used = write.mock.calls.map(([frame]) => (frame as Buffer).buffer)
    expect(new Set(used.slice(0, 3)).size).toBe(3)
    expect(used[3]).toBe(used[0])
  })
})

function request(fill: string): ProduceRequest {
  const records = Buffer.alloc(LARGE, fill)
  return {
    transactionalId: null,
    acks: 1,
    timeoutMs: 1_000,
    topicData: [{ name: 't', topicId: Buffer.alloc(16), partitionData: [{ index: 0, records }] }],
  }
}

function answer(correlationId: number): Buffer {
  return encodeResponseFrame(produce, 3, correlationId, { throttleTimeMs: 0, nodeEndpoints: [], responses: [] })
}

/** The frames that a socket gets. */
async function* framesOf(socket: Socket): AsyncGenerator<Buffer, void, void> {
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0)
      yield bytes.subarray(0, end)
      bytes = bytes.subarray(end)
    }
  }
}

function content({ value }: IteratorResult<Buffer, void>): string {
  return (value as Buffer).subarray(-LARGE).toString()
}
