import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

/** Whom a listener hands its connections to. */
export interface Acceptor {
  /** A connection has come; with TLS it is not agreed on yet. */
  arrived(connection: Duplex): void
  /** It can be read from and written to. */
  accept(stream: Duplex): void
  /** Something went wrong that no client can cause. */
  failed(error: unknown): void
}

/** What takes a broker's connections. */
export interface Listener {
  readonly port: number
  /** New connections are refused from here on; resolves when those there are have closed. */
  close(): Promise<void>
}

/** Begins to listen; port 0 is one that is chosen here. */
export type Listen = (host: string, port: number, acceptor: Acceptor) => Promise<Listener>

/** Listens on real sockets, with TLS where there are options for it. */
export function listenOnSockets(ssl: TlsOptions | undefined): Listen {
  return async (host, port, acceptor) => {
    const accept = (socket: Socket): void => {
      socket.setNoDelay(true)
      acceptor.accept(socket)
    }
    const server =
      ssl === undefined
        ? createServer({ allowHalfOpen: true }, accept)
        : createTlsServer({ ...ssl, allowHalfOpen: true }, accept)
    server.on('connection', (socket: Socket) => acceptor.arrived(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    server.on('error', (error) => acceptor.failed(error))
    const closed = new Promise<void>((resolve) => server.once('close', resolve))
    return {
      port: (server.address() as AddressInfo).port,
      close() {
        server.close()
        return closed
      },
    }
  }
}
