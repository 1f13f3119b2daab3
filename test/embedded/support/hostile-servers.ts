/** Whoever may answer on the port of a broker, and is none, or is one that has gone mad. */
import { randomBytes } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { encodeResponseFrame, FrameSplitter } from '../../../src/protocol/frame.js'
import { readRequestHeader } from '../../../src/protocol/header.js'

export interface Asked {
  readonly socket: Socket
  readonly apiKey: number
  readonly correlationId: number
}

export type Manner = (asked: Asked) => void

function framed(body: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Writes for as long as the other side takes it. */
function flood(socket: Socket, chunk: Buffer): void {
  while (socket.writable && socket.write(chunk));
  if (socket.writable) socket.once('drain', () => flood(socket, chunk))
}

function drip(socket: Socket, bytes: Buffer): void {
  let at = 0
  const timer = setInterval(() => {
    if (!socket.writable || at >= bytes.length) clearInterval(timer)
    else socket.write(bytes.subarray(at, ++at))
  }, 10)
}

const CHUNK = Buffer.alloc(100_000)

/** A compact array of so many of the same element. */
function arrayOf(count: number, element: Buffer): Buffer {
  const size: number[] = []
  for (let left = count + 1; ; left >>>= 7) {
    size.push(left >= 0x80 ? (left & 0x7f) | 0x80 : left)
    if (left < 0x80) return Buffer.concat([Buffer.from(size), Buffer.alloc(count * element.length, element)])
  }
}

/** As Metadata v9 has them: no error, no name, no partitions. */
const EMPTY_TOPIC = Buffer.from([0, 0, 1, 0, 1, 0, 0, 0, 0, 0])
/** A broker with a host of one letter, in version 9. */
const BROKER = Buffer.from([0, 0, 0, 1, 2, 0x61, 0, 0, 0x23, 0x84, 0, 0])

/** Metadata v9 with these brokers and topics. */
function metadataOf(correlationId: number, brokers: Buffer, topics: Buffer): Buffer {
  return framed(body(correlationId, int32(0), brokers, Buffer.of(0), int32(1), topics, int32(0), Buffer.of(0)))
}

/** Of a flexible answer: correlation id, no tagged fields in its header, then what it begins with. */
const body = (correlationId: number, ...parts: Buffer[]) =>
  Buffer.concat([int32(correlationId), Buffer.of(0), ...parts])

/** What each does with a question. */
export const MANNERS: Readonly<Record<string, Manner>> = {
  'is silent': () => undefined,
  'hangs up': ({ socket }) => void socket.end(),
  'breaks the connection': ({ socket }) => void socket.resetAndDestroy(),
  'answers in HTTP': ({ socket }) => void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  'answers a TLS alert': ({ socket }) => void socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 10])),
  'answers random bytes': ({ socket }) => void socket.write(randomBytes(4096)),
  'floods with random bytes': ({ socket }) => flood(socket, randomBytes(65_536)),
  'floods with zeros': ({ socket }) => flood(socket, Buffer.alloc(65_536)),
  'floods with frames nobody asked for': ({ socket }) =>
    flood(socket, Buffer.concat(Array.from({ length: 1000 }, (_, i) => framed(int32(i + 1_000_000))))),
  'drips single bytes of a frame without end': ({ socket }) =>
    drip(socket, Buffer.concat([int32(1_000_000), Buffer.alloc(1_000_000)])),
  'tells a huge length': ({ socket }) => void socket.write(int32(0x7fffffff)),
  'tells a negative length': ({ socket }) => void socket.write(int32(-1)),
  'tells a length of zero': ({ socket }) => void socket.write(int32(0)),
  'answers another question': ({ socket, correlationId }) => void socket.write(framed(body(correlationId + 1))),
  'answers nothing but the correlation id': ({ socket, correlationId }) =>
    void socket.write(framed(int32(correlationId))),
  'answers a huge array': ({ socket, correlationId }) =>
    void socket.write(framed(body(correlationId, int32(0), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07])))),
  'answers as large an array as it can': ({ socket, correlationId }) =>
    void socket.write(framed(body(correlationId, int32(0), Buffer.from([0x80, 0x80, 0x3c]), Buffer.alloc(900_000)))),
  'answers deep tagged fields': ({ socket, correlationId }) =>
    void socket.write(
      framed(Buffer.concat([int32(correlationId), Buffer.from([0xff, 0xff, 0x03]), Buffer.alloc(200_000, 1)])),
    ),
  'answers bad UTF-8': ({ socket, correlationId }) =>
    void socket.write(
      framed(
        body(
          correlationId,
          int32(0),
          Buffer.from([2, 0, 0, 0, 1, 5, 0xff, 0xfe, 0xc0, 0x80]),
          int32(9092),
          Buffer.alloc(64),
        ),
      ),
    ),
}

/** What each does with a question for metadata. */
export const METADATA_MANNERS: Readonly<Record<string, Manner>> = {
  'answers 95 MB of empty topics': ({ socket, correlationId }) => {
    const start = metadataOf(correlationId, arrayOf(1, BROKER), arrayOf(9_500_000, Buffer.alloc(0)))
    socket.write(Buffer.concat([int32(start.length + 95_000_000), start.subarray(4, -1)]))
    flood(socket, Buffer.alloc(100_000, EMPTY_TOPIC))
  },
  'answers as many empty topics as fit': ({ socket, correlationId }) =>
    void socket.write(metadataOf(correlationId, arrayOf(1, BROKER), arrayOf(400_000, EMPTY_TOPIC))),
  'answers as many brokers as fit': ({ socket, correlationId }) =>
    void socket.write(metadataOf(correlationId, arrayOf(300_000, BROKER), arrayOf(1, EMPTY_TOPIC))),
  'holds back the end of an answer of 90 MB': ({ socket }) => {
    socket.write(int32(90_000_000))
    for (let i = 0; i < 800; i++) socket.write(CHUNK)
  },
}

/** A server that behaves so: from the first question on, or only after it has said which versions it serves. */
export class HostileServer {
  readonly sockets = new Set<Socket>()
  private readonly server = createServer((socket) => this.accept(socket))
  address = ''

  private constructor(
    private readonly manner: Manner,
    private readonly saysVersions: boolean,
  ) {}

  static async start(manner: Manner, { saysVersions = false } = {}): Promise<HostileServer> {
    const hostile = new HostileServer(manner, saysVersions)
    await new Promise<void>((resolve) => hostile.server.listen(0, '127.0.0.1', resolve))
    hostile.address = `127.0.0.1:${(hostile.server.address() as AddressInfo).port}`
    return hostile
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.sockets.delete(socket))
    const splitter = new FrameSplitter(8, 0x7fffffff)
    socket.on('data', (chunk: Buffer) => splitter.push(chunk, (frame) => this.answer(socket, frame)))
  }

  private answer(socket: Socket, frame: Buffer): void {
    const { apiKey, apiVersion, correlationId } = readRequestHeader(new ByteReader(frame))
    if (!this.saysVersions || apiKey !== apiVersions.key) return this.manner({ socket, apiKey, correlationId })
    const known = apiVersion <= 3
    const ranges = [
      [0, 9],
      [3, 9],
      [17, 1],
      [18, 3],
      [36, 2],
    ].map(([key = 0, maxVersion = 0]) => ({ apiKey: key, minVersion: 0, maxVersion }))
    const none = { supportedFeatures: [], finalizedFeaturesEpoch: -1n, finalizedFeatures: [], zkMigrationReady: false }
    socket.write(
      encodeResponseFrame(apiVersions, known ? apiVersion : 0, correlationId, {
        errorCode: known ? 0 : 35,
        apiKeys: ranges,
        throttleTimeMs: 0,
        ...none,
      }),
    )
  }
}
