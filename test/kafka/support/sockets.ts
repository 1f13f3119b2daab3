/** The TCP sockets that this process opens, seen from outside of the code that opens them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { EventEmitter, once } from 'node:events'
import type { Socket } from 'node:net'

const channel = 'net.client.socket'

export class SocketWatch {
  readonly sockets: Socket[] = []
  readonly #events = new EventEmitter()
  readonly #onSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    this.sockets.push(socket)
    socket.once('connect', () => this.#events.emit('change'))
    socket.once('close', () => this.#events.emit('change'))
  }

  constructor() {
    subscribe(channel, this.#onSocket)
  }

  get connected(): number {
    return this.sockets.filter((socket) => !socket.connecting && socket.remotePort !== undefined).length
  }

  get closed(): number {
    return this.sockets.filter((socket) => socket.closed).length
  }

  /** Resolves when it is so; asked whenever a socket connects or closes. */
  async until(isSo: (watch: SocketWatch) => boolean): Promise<void> {
    while (!isSo(this)) await once(this.#events, 'change', { signal: AbortSignal.timeout(60_000) })
  }

  [Symbol.dispose](): void {
    unsubscribe(channel, this.#onSocket)
  }
}
