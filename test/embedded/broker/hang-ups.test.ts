import { describe, expect, it } from 'vitest'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import type { ReceivedRequest } from '../../../src/testing/index.js'
import { encodeRequestFrame } from '../../support/frames.js'
import { connectTo, startKafka } from '../support/cluster.js'
import type { RawClient } from '../support/raw-client.js'
import { batchOf, metadataRequest, produceRequest } from '../support/requests.js'

/** A frame of these bytes. */
function frame(hex: string): Buffer {
  const body = Buffer.from(hex, 'hex')
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

/** Sends the bytes to a broker of the release; resolves with what the cluster says of the request that it hung up on. */
async function hungUpOn(send: Buffer | ((client: RawClient) => void), release = '4'): Promise<ReceivedRequest> {
  const told: ReceivedRequest[] = []
  const kafka = await startKafka({ release, topics: { orders: {} }, onHangUp: (request) => told.push(request) })
  const client = await connectTo(kafka)
  if (typeof send === 'function') send(client)
  else client.socket.write(send)
  await client.untilClosed()
  expect(told).toEqual(kafka.requests)
  expect(told).toHaveLength(1)
  return told[0] as ReceivedRequest
}

describe('a broker that hangs up says over what, and why', () => {
  it('a body that ends too early', async () => {
    const whole = encodeRequestFrame(metadata, 12, 7, 'raw', metadataRequest(['orders']))
    const short = Buffer.concat([whole.subarray(0, -2)])
    short.writeInt32BE(short.length - 4, 0)
    const request = await hungUpOn(short)
    expect(request).toMatchObject({ api: 'Metadata', apiVersion: 12, correlationId: 7, clientId: 'raw', topics: [] })
    expect(request.hungUp).toMatch(/^hung up on Metadata v12: 1 byte wanted, \d+ left at byte \d+$/)
  })

  it('a version that the release does not have', async () => {
    const { hungUp } = await hungUpOn(encodeRequestFrame(metadata, 12, 1, 'raw', metadataRequest([])), '2.8')
    expect(hungUp).toBe('hung up on Metadata v12: Kafka 2.8 has versions 0 to 11')
  })

  it('a request that no broker has, and one that this broker does not have', async () => {
    expect((await hungUpOn(frame('03e70000000000010000'))).hungUp).toBe(
      'hung up on API key 999 v0: Kafka 4 has no such request',
    )
    expect(await hungUpOn(frame('0020000000000001ffff'))).toMatchObject({
      apiKey: 32,
      api: undefined,
      hungUp: expect.stringMatching(/^hung up on API key 32 v0: /) as string,
    })
    expect((await hungUpOn(frame('0012000000000001ffff'), '0.8.2')).hungUp).toBe(
      'hung up on ApiVersions v0: Kafka 0.8.2 has no such request',
    )
  })

  it('what is no request at all', async () => {
    expect(await hungUpOn(frame('0003'))).toMatchObject({
      apiKey: -1,
      api: undefined,
      hungUp: 'hung up on what is no request: 2 bytes wanted, 0 left at byte 2',
    })
    expect((await hungUpOn(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).hungUp).toBe(
      'hung up on what is no request: a frame of 1195725856 bytes, allowed are 0 to 104857600',
    )
  })

  it('messages without acks that are refused', async () => {
    const asked = produceRequest(batchOf([{}]), { topic: 'nowhere', acks: 0 })
    const { hungUp } = await hungUpOn((client) => void client.send(produce, 9, asked))
    expect(hungUp).toBe('hung up on Produce v9: UNKNOWN_TOPIC_OR_PARTITION, and acks 0')
  })

  it('a client that has not authenticated', async () => {
    const kafka = await startKafka({ sasl: { users: { alice: 'wonderland' } } })
    const client = await connectTo(kafka)
    client.send(metadata, 9, metadataRequest([]))
    await client.untilClosed()
    expect(kafka.requests.map(({ hungUp }) => hungUp)).toEqual([
      'hung up on Metadata v9: its client is not authenticated, or no longer',
    ])
  })

  it('what is answered has nothing of the kind', async () => {
    const kafka = await startKafka()
    const client = await connectTo(kafka)
    await client.call(metadata, 9, metadataRequest([]))
    expect(kafka.requests.map(({ hungUp }) => hungUp)).toEqual([undefined])
  })

  it('a function that throws when it is told is no fault of the broker’s client', async () => {
    const kafka = await startKafka({
      onHangUp: () => {
        throw new Error('of the user')
      },
    })
    const client = await connectTo(kafka)
    client.socket.write(frame('0003'))
    await client.untilClosed()
    await expect(kafka.stop()).rejects.toMatchObject({ code: 'INTERNAL', cause: { message: 'of the user' } })
  })
})
