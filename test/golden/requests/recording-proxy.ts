/**
 * Stands between a client and a broker, and keeps the client's requests. Answers to Metadata name the proxy in the broker's
 * place, so that the client stays; everything else passes as it is.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { decodeResponseFrame, encodeResponseFrame, FrameSplitter } from '../../../src/protocol/frame.js'

export interface RecordedRequest {
  readonly apiKey: number
  readonly version: number
  /** Size included. */
  readonly frame: Buffer
}

const host = '127.0.0.1'
const largest = 100 << 20

export class RecordingProxy {
  readonly requests: RecordedRequest[] = []

  private constructor(
    private readonly server: Server,
    private readonly brokerPort: number,
  ) {
    server.on('connection', (client) => {
      this.serve(client)
    })
  }

  static async start(brokerPort: number): Promise<RecordingProxy> {
    const server = createServer()
    const proxy = new RecordingProxy(server, brokerPort)
    server.listen(0, host)
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  [Symbol.dispose](): void {
    this.server.close()
  }

  private serve(client: Socket): void {
    const broker = connect(this.brokerPort, host)
    /** Versions of the Metadata questions under way, by correlation id. */
    const questions = new Map<number, number>()
    const fromClient = new FrameSplitter(8, largest)
    client.on('data', (chunk: Buffer) => {
      fromClient.push(chunk, (body) => {
        const [apiKey, version] = [body.readInt16BE(0), body.readInt16BE(2)]
        if (apiKey === metadata.key) questions.set(body.readInt32BE(4), version)
        const frame = withSize(body)
        this.requests.push({ apiKey, version, frame })
        broker.write(frame)
      })
    })
    const fromBroker = new FrameSplitter(4, largest)
    broker.on('data', (chunk: Buffer) => {
      fromBroker.push(chunk, (body) => {
        const version = questions.get(body.readInt32BE(0))
        questions.delete(body.readInt32BE(0))
        client.write(version === undefined ? withSize(body) : this.redirected(version, body))
      })
    })
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  }

  private redirected(version: number, body: Buffer): Buffer {
    const answer = decodeResponseFrame(metadata, version, body)
    const brokers = answer.brokers.map((broker) => ({ ...broker, host, port: this.port }))
    return encodeResponseFrame(metadata, version, body.readInt32BE(0), { ...answer, brokers })
  }
}

function withSize(body: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}
