import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { ConnectionFailedError, TlsError } from '../errors.js'
import { tlsProblem } from './tls-errors.js'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** How a connection is secured. */
export interface TlsSettings {
  readonly options: ConnectionOptions
  /** Whether the next connection may have other options. */
  readonly mayChange: boolean
  /** Takes a session that a later connection may go on with. */
  keep(session: Buffer): void
  /** Drops it, since it may be why a handshake failed. */
  forget(): void
}

export function formatAddress({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Lost peers are noticed by TCP itself after about this long without traffic. */
const KEEP_ALIVE_MS = 60_000

/**
 * Opens a TCP connection, and TLS on it where `tls` is given, trying every address that the host's name has, in the resolver's order, until one accepts.
 * `timeoutMs` bounds it all; each address gets an equal share of what is left, so that a dead first one can't use it up.
 *
 * @param signal gives up at once
 * @throws ConnectionFailedError with the last failure as its cause; TlsError where that was one of TLS.
 */
export async function openSocket(
  address: BrokerAddress,
  timeoutMs: number,
  signal: AbortSignal,
  tls?: TlsSettings,
): Promise<Socket> {
  const deadline = performance.now() + timeoutMs
  let failure: unknown
  try {
    const addresses = isIP(address.host) ? [address.host] : await resolve(address.host)
    for (const [tried, host] of addresses.entries()) {
      const share = (deadline - performance.now()) / (addresses.length - tried)
      if (share <= 0) break
      signal.throwIfAborted()
      try {
        return await connectTo(host, address, share, signal, tls)
      } catch (error) {
        // A name may have addresses where nothing listens: what the broker itself did wrong tells more.
        if (!(failure instanceof TlsError)) failure = error
      }
    }
  } catch (error) {
    failure = error
  }
  if (failure instanceof TlsError) throw failure
  const reason = failure instanceof Error ? failure.message : `no address answered within ${timeoutMs} ms`
  throw new ConnectionFailedError(`can't connect to ${formatAddress(address)}: ${reason}`, { cause: failure })
}

async function resolve(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, verbatim: true })
  return [...new Set(found.map(({ address }) => address))]
}

function connectTo(
  host: string,
  address: BrokerAddress,
  timeoutMs: number,
  signal: AbortSignal,
  tls: TlsSettings | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tls === undefined ? connectTcp({ host, port: address.port }) : startTls(host, address, tls)
    let isConnected = false
    const timer = setTimeout(() => {
      const what = isConnected ? 'finish the TLS handshake' : 'accept'
      socket.destroy(new Error(`${host} did not ${what} within ${Math.round(timeoutMs)} ms`))
    }, timeoutMs).unref()
    const onAbort = () => socket.destroy(new Error('closed by this client'))
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
    }
    const onError = (error: Error) => {
      settle()
      const isHandshake = isConnected && tls !== undefined && !signal.aborted
      if (isHandshake) tls.forget()
      reject(isHandshake ? handshakeError(error, address) : error)
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      isConnected = true
      socket.setNoDelay(true)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
    })
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      settle()
      resolve(socket)
    })
  })
}

function startTls(host: string, address: BrokerAddress, tls: TlsSettings): Socket {
  try {
    // The name that is asked for, and that the certificate must have; an address can't be asked for.
    const servername = tls.options.servername ?? (isIP(address.host) ? '' : address.host)
    const socket = connectTls({ ...tls.options, host, port: address.port, servername })
    socket.on('session', (session: Buffer) => tls.keep(session))
    return socket
  } catch (cause) {
    throw new TlsError(`the options given as \`ssl\` can't be used: ${(cause as Error).message}`, { cause, retriable: tls.mayChange })
  }
}

function handshakeError(error: Error, address: BrokerAddress): TlsError {
  const broker = formatAddress(address)
  const hint = 'if its port has no TLS, leave `ssl` out or take the port of its TLS listener'
  return tlsProblem(error, broker) ?? new TlsError(`${broker}: no TLS handshake: ${error.message}; ${hint}`, { cause: error, retriable: true })
}
