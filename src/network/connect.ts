import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { ConnectionFailedError } from '../errors.js'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export function formatAddress({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Lost peers are noticed by TCP itself after about this long without traffic. */
const KEEP_ALIVE_MS = 60_000

/**
 * Opens a TCP connection, trying every address that the host's name has, in the resolver's order, until one accepts.
 * `timeoutMs` bounds it all; each address gets an equal share of what is left, so that a dead first one can't use it up.
 *
 * @param signal gives up at once
 * @throws ConnectionFailedError with the last failure as its cause.
 */
export async function openSocket(address: BrokerAddress, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const deadline = performance.now() + timeoutMs
  let failure: unknown
  try {
    const addresses = isIP(address.host) ? [address.host] : await resolve(address.host)
    for (const [tried, host] of addresses.entries()) {
      const share = (deadline - performance.now()) / (addresses.length - tried)
      if (share <= 0) break
      signal.throwIfAborted()
      try {
        return await connectTo(host, address.port, share, signal)
      } catch (error) {
        failure = error
      }
    }
  } catch (error) {
    failure = error
  }
  const reason = failure instanceof Error ? failure.message : `no address answered within ${timeoutMs} ms`
  throw new ConnectionFailedError(`can't connect to ${formatAddress(address)}: ${reason}`, { cause: failure })
}

async function resolve(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, verbatim: true })
  return [...new Set(found.map(({ address }) => address))]
}

function connectTo(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
    const timer = setTimeout(() => {
      socket.destroy(new Error(`${host} did not accept within ${Math.round(timeoutMs)} ms`))
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
      reject(error)
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      settle()
      resolve(socket)
    })
  })
}
