import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.js'
import { FrameSplitter } from '../protocol/frame.js'
import type { PendingRequest, Reply } from './request-server.js'
import type { SaslSession } from './security/sasl-server.js'
import { isAbort, orAborted, sleep, type Gate } from './waiting.js'

/** The largest request taken, as socket.request.max.bytes has it. */
const MAX_REQUEST_BYTES = 104_857_600
/** Requests that may wait their turn before the connection is no longer read. */
const MAX_WAITING = 100

export interface ConnectionOwner {
  readonly clock: Clock
  /** Closed while the broker is paused. */
  readonly running: Gate
  /** Aborted when the broker stops. */
  readonly stopped: AbortSignal
  receive(frame: Buffer, connection: ClientConnection): PendingRequest
  /** What the client sends can't be cut into requests any more. */
  lostPlace(connection: ClientConnection, why: string): void
  /** Something went wrong that no client can cause. */
  failed(error: unknown): void
  closed(connection: ClientConnection): void
}

/**
 * One client's connection. Requests are taken up in their order and one at a time, each only when the one before was
 * answered, as Kafka does. A request that was taken up is carried out even if its client has gone meanwhile.
 */
export class ClientConnection {
  /** Of the newest request; null before the first. */
  clientId: string | null = null
  readonly openedAt: number
  private readonly splitter = new FrameSplitter(0, MAX_REQUEST_BYTES)
  private readonly waiting: PendingRequest[] = []
  private readonly gone = new AbortController()
  private serving = false
  /** Whether the client has said that it sends no more. */
  ended = false

  constructor(
    readonly id: number,
    private readonly socket: Duplex,
    private readonly owner: ConnectionOwner,
    readonly sasl: SaslSession | undefined,
  ) {
    this.openedAt = owner.clock.timestamp()
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('end', () => this.end())
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.gone.abort()
      this.owner.closed(this)
    })
    this.readOrNot()
  }

  get remotePort(): number {
    return (this.socket as Partial<Socket>).remotePort ?? 0
  }

  /** To be called when the broker was paused or goes on. */
  readOrNot(): void {
    if (this.owner.running.isOpen && this.waiting.length < MAX_WAITING) this.socket.resume()
    else this.socket.pause()
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Sends what nobody asked for. */
  babble(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  private receive(chunk: Buffer): void {
    try {
      this.splitter.push(chunk, (frame) => this.waiting.push(this.owner.receive(frame, this)))
    } catch (error) {
      // No frame after this one can be found.
      this.owner.lostPlace(this, error instanceof Error ? error.message : String(error))
      this.destroy()
      return
    }
    this.readOrNot()
    if (!this.serving) void this.serveWaiting()
  }

  /** The client sends no more. What it has sent is still served. */
  private end(): void {
    this.ended = true
    if (!this.serving) this.socket.end()
  }

  private async serveWaiting(): Promise<void> {
    const { running, stopped } = this.owner
    this.serving = true
    try {
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
        this.readOrNot()
        const reply = await next.serve({ gone: this.gone.signal, stopped, running })
        await running.pass(stopped)
        await this.reply(reply)
      }
      if (this.ended) this.socket.end()
    } catch (error) {
      if (!isAbort(error)) this.owner.failed(error)
      this.destroy()
    } finally {
      this.serving = false
    }
  }

  private async reply({ bytes, hangUp = false, muteMs = 0 }: Reply): Promise<void> {
    const { signal } = this.gone
    if (bytes !== undefined) {
      const written = new Promise<void>((resolve) => this.socket.write(bytes, () => resolve()))
      await orAborted(written, signal)
    }
    if (hangUp) this.destroy()
    else if (muteMs > 0) await sleep(this.owner.clock, muteMs, signal)
    signal.throwIfAborted()
  }
}
