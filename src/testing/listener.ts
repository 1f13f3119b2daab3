import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { reasonOf } from '../wording/kind-of.js'
import { EmbeddedKafkaError } from './errors.js'

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

/** What is wrong, by Node's code of it. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no host of this name',
  EACCES: 'ports as low as this need rights of their own',
}

/** Begins to listen; port 0 is one that is chosen here. Throws `CANNOT_LISTEN`. */
export type Listen = (host: string, port: number, acceptor: Acceptor) => Promise<Listener>

/** Listens on real sockets, with TLS where there are options for it. */
export function listenOnSockets(ssl: TlsOptions | undefined): Listen {
  return async (host, port, acceptor) => {
    const accept = (socket: Socket): void => {
      socket.setNoDelay(true)
      acceptor.accept(socket)
    }
    const make = (): Server => {
      const made =
        ssl === undefined
          ? createServer({ allowHalfOpen: true }, accept)
          : createTlsServer({ ...ssl, allowHalfOpen: true }, accept)
      return made.on('connection', (socket: Socket) => acceptor.arrived(socket))
    }
    const server = await listening(host, port, make)
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

/** @throws EmbeddedKafkaError `CANNOT_LISTEN` */
async function listening(host: string, port: number, make: () => Server): Promise<Server> {
  try {
    const server = make()
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    return server
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    const [reason, told] = [REASONS[code], reasonOf(cause)]
    const why = reason === undefined ? told : `${reason} (${told})`
    throw new EmbeddedKafkaError('CANNOT_LISTEN', `can't listen on port ${port} of ${host}: ${why}`, { cause })
  }
}
