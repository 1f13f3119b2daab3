import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { RequestEncoder, ResponseDecoder } from '../../../src/protocol/api.js'
import { decodeResponseFrame, FrameSplitter } from '../../../src/protocol/frame.js'
import { encodeRequestFrame } from '../../support/frames.js'

/** Where to connect: a broker of `EmbeddedKafka.brokers`, or part of its bootstrap list. */
export type Address = { readonly host: string; readonly port: number } | string

/**
 * The smallest client there can be: one socket, requests encoded by the library's codecs, answers taken as they come.
 * It chooses no versions, retries nothing and sends whatever it is told to.
 */
export class RawClient {
  private readonly frames: Buffer[] = []
  private readonly splitter = new FrameSplitter(4, 0x7fffffff)
  private correlationId = 0
  private waiting: (() => void)[] = []
  /** Set when the broker has closed the connection. */
  closed = false

  private constructor(
    readonly socket: Socket,
    private readonly clientId: string,
  ) {
    socket.on('data', (chunk: Buffer) => {
      this.splitter.push(chunk, (frame) => this.frames.push(frame))
      this.wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
      this.wake()
    })
  }

  static async connect(address: Address, clientId = 'raw'): Promise<RawClient> {
    const [host, port] = typeof address === 'string' ? address.split(':') : [address.host, address.port]
    const socket = connect({ host: host ?? '', port: Number(port) })
    await once(socket, 'connect')
    return new RawClient(socket, clientId)
  }

  /** Sends a request and resolves with its answer. */
  async call<Request, Response>(
    api: RequestEncoder<Request> & ResponseDecoder<Response>,
    version: number,
    request: Request,
  ): Promise<Response> {
    this.send(api, version, request)
    return this.answer(api, version)
  }

  /** Sends a request; returns its correlation id. */
  send<Request>(api: RequestEncoder<Request>, version: number, request: Request): number {
    const correlationId = ++this.correlationId
    this.socket.write(encodeRequestFrame(api, version, correlationId, this.clientId, request))
    return correlationId
  }

  /** The next answer, taken as one to a request of this API. */
  async answer<Response>(api: ResponseDecoder<Response>, version: number): Promise<Response> {
    return decodeResponseFrame(api, version, await this.frame())
  }

  /** All that follows the size of the next answer. */
  async frame(): Promise<Buffer> {
    for (;;) {
      const frame = this.frames.shift()
      if (frame !== undefined) return frame
      if (this.closed) throw new Error('the broker closed the connection')
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  /** Whether an answer has come that nobody took. */
  get hasFrame(): boolean {
    return this.frames.length > 0
  }

  /** Resolves when the broker has closed the connection. */
  async untilClosed(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  async close(): Promise<void> {
    this.socket.destroy()
    await this.untilClosed()
  }

  private wake(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}
