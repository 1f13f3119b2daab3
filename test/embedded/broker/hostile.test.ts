import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { ByteWriter } from '../../../src/protocol/byte-writer.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { RANGES } from '../../../src/testing/release-versions.js'
import { Release } from '../../../src/testing/releases.js'
import { encodeRequestFrame } from '../../support/frames.js'
import { connectTo, startKafka } from '../support/cluster.js'
import { RawClient } from '../support/raw-client.js'
import { batchOf, metadataOf, metadataRequest, produceRequest, produceTo } from '../support/requests.js'

/** A frame of these 16-bit and 32-bit integers and bytes. */
function frame(write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter()
  writer.writeInt32(0)
  write(writer)
  writer.putInt32(0, writer.position - 4)
  return Buffer.from(writer.bytes())
}

function header(writer: ByteWriter, key: number, version: number): void {
  writer.writeInt16(key)
  writer.writeInt16(version)
  writer.writeInt32(1)
  writer.writeString('hostile')
}

const size = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

async function expectDropped(kafka: EmbeddedKafka, bytes: Buffer): Promise<void> {
  const client = await connectTo(kafka)
  client.socket.write(bytes)
  await client.untilClosed()
  expect(client.hasFrame).toBe(false)
}

describe('hostile requests', () => {
  it.each<[string, Buffer]>([
    ['a negative size', size(-1)],
    ['a size over the largest request', size(104_857_601)],
    ['the largest size there is', size(0x7fffffff)],
    ['an empty frame', size(0)],
    ['a frame without a whole header', Buffer.concat([size(3), Buffer.from([0, 3, 0])])],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: kafka\r\n\r\n')],
    ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')],
    ['an API nobody knows', frame((writer) => header(writer, 999, 0))],
    ['a negative API key', frame((writer) => header(writer, -1, 0))],
    ['a version of Metadata nobody knows', frame((writer) => header(writer, 3, 99))],
    ['a negative version', frame((writer) => header(writer, 3, -1))],
    [
      'a client id longer than the frame',
      frame((writer) => {
        writer.writeInt16(3)
        writer.writeInt16(1)
        writer.writeInt32(1)
        writer.writeInt16(30_000)
      }),
    ],
    [
      'an array longer than the frame',
      frame((writer) => {
        header(writer, 3, 1)
        writer.writeInt32(0x7fffffff)
      }),
    ],
    [
      'an array of negative length',
      frame((writer) => {
        header(writer, 3, 1)
        writer.writeInt32(-7)
      }),
    ],
    [
      'records longer than the frame',
      frame((writer) => {
        header(writer, 0, 3)
        writer.writeString(null)
        writer.writeInt16(-1)
        writer.writeInt32(1_000)
        writer.writeInt32(1)
        writer.writeString('orders')
        writer.writeInt32(1)
        writer.writeInt32(0)
        writer.writeInt32(0x7ffffff0)
      }),
    ],
  ])('%s: the connection is dropped, the broker goes on', async (_, bytes) => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const bystander = await connectTo(kafka)
    await expectDropped(kafka, bytes)
    expect((await produceTo(bystander, batchOf([{ value: '1' }]))).errorCode).toBe(0)
    expect((await metadataOf(await connectTo(kafka), ['orders'])).topics[0]?.errorCode).toBe(0)
  })

  it('any bytes at all: it never fails, and drops what it does not understand', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 4, maxLength: 300 }), async (bytes) => {
        const client = await RawClient.connect(kafka.bootstrap)
        client.socket.end(Buffer.concat([size(bytes.length), bytes]))
        await client.untilClosed()
      }),
      { numRuns: 200 },
    )
    expect((await produceTo(await connectTo(kafka), batchOf([{ value: '1' }]))).errorCode).toBe(0)
  })

  it.each(['0.9', '2.8', '4'])('any body after the header of any request that Kafka %s knows', async (release) => {
    const kafka = await startKafka({ release, topics: { orders: {} } })
    const versions = RANGES.flatMap(([key]) => {
      const { min = 0, max = -1 } = Release.named(release).served(key) ?? {}
      return Array.from({ length: max - min + 1 }, (_, i) => [key, min + i] as const)
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...versions),
        fc.uint8Array({ maxLength: 100 }),
        async ([key, version], bytes) => {
          const client = await RawClient.connect(kafka.bootstrap)
          const request = frame((writer) => {
            header(writer, key, version)
            writer.writeRaw(Buffer.from(bytes))
          })
          // Some wait for long, as it may be asked in the noise: nobody waits for them here.
          await new Promise<void>((resolve) => client.socket.write(request, () => resolve()))
          await client.close()
        },
      ),
      { numRuns: 300 },
    )
    expect((await metadataOf(await connectTo(kafka), ['orders'], release === '0.9' ? 0 : 9)).topics[0]?.errorCode).toBe(
      0,
    )
  })

  it('any one byte of a request changed: it never fails', async () => {
    const kafka = await startKafka({ release: '2.8', topics: { orders: {} } })
    const records = batchOf([{ key: 'key', value: 'value', headers: [['a', 'b']] }])
    const requests = [
      encodeRequestFrame(produce, 9, 1, 'hostile', produceRequest(records)),
      encodeRequestFrame(metadata, 9, 1, 'hostile', metadataRequest(['orders'])),
    ]
    for (const request of requests) {
      // The four bytes of the size have tests of their own: a larger one makes the broker wait, as it must.
      for (let at = 4; at < request.length; at++) {
        const changed = Buffer.from(request)
        changed[at] = (changed[at] ?? 0) ^ 0xff
        const client = await RawClient.connect(kafka.bootstrap)
        client.socket.end(changed)
        await client.untilClosed()
      }
    }
    expect((await produceTo(await connectTo(kafka), records)).errorCode).toBe(0)
    for (const { value } of kafka.records('orders')) expect(value?.toString()).toBe('value')
  })

  it('a frame that comes byte by byte is a frame', async () => {
    const kafka = await startKafka({ topics: { orders: {} } })
    const client = await connectTo(kafka)
    client.socket.setNoDelay(true)
    const request = encodeRequestFrame(metadata, 9, 77, 'slow', metadataRequest(['orders']))
    for (const byte of request) client.socket.write(Buffer.from([byte]))
    expect((await client.frame()).readInt32BE(0)).toBe(77)
  })

  it('a client that sends half a frame and leaves is forgotten', async () => {
    const kafka = await startKafka()
    const client = await connectTo(kafka)
    client.socket.write(Buffer.concat([size(100), Buffer.alloc(50)]))
    client.socket.end()
    await client.untilClosed()
    await expect.poll(() => kafka.connections).toEqual([])
  })
})
