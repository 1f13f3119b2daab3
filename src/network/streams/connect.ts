import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { domainToASCII } from 'node:url'
import { allowAnyNumberOfListeners } from '../../any-number-of-listeners.js'
import { Deadline, type Clock, type Timer } from '../../clock.js'
import { ConnectionFailedError, TlsError } from '../../errors.js'
import type { Surroundings } from '../../surroundings.js'
import { timerDelay } from '../../timer-delay.js'
import { foreignText } from '../../wording/foreign-text.js'
import { streamError } from '../../wording/thrown-message.js'
import { orAborted } from '../or-aborted.js'
import { within } from '../within.js'
import { givenStream, isConnecting, type CreateConnection } from './given-stream.js'
import type { HostLookup } from './host-lookup.js'
import { destroyStream, type Stream } from './stream.js'
import { asCause, tlsProblem } from './tls-errors.js'

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

const HIGHEST_PORT = 65_535

/** How long an address may take, at the most, before the next one of the same name is tried beside it. */
const MAX_HEAD_START_MS = 1_000
/** How long a connect goes on that nobody waits for. */
const UNNEEDED_CONNECT_MS = 1_000

export interface ConnectTerms {
  /** Bounds it all: the look-up of the name, connecting, and the TLS handshake. */
  readonly timeoutMs: number
  /** Gives up at once. */
  readonly signal: AbortSignal
  /**
   * Whether anybody waits for it. A TCP connect in progress keeps the process alive whether its socket is unref'd or
   * not, so one that nobody waits for is given up after a while.
   */
  readonly isNeeded: () => boolean
  readonly hosts: Pick<HostLookup, 'addressesOf'>
  /** What an error says behind the address, of where that was taken from. */
  readonly origin?: string | undefined
  /** How the connection is secured; undefined: not at all. */
  readonly tls?: TlsSettings | undefined
  /** Gives the stream in place of a TCP connection; then no name is looked up. */
  readonly create?: CreateConnection | undefined
  /** Opens a TCP connection; Node's own, where left out. */
  readonly connect?: Surroundings['connect']
  readonly clock: Clock
}

/**
 * Opens a TCP connection, and TLS on it where that is asked for, to the first address of the host's name that accepts.
 * They are tried in the resolver's order, each with a head start before the next and with all the time that is left:
 * neither can a silent address use up the others' time, nor is one cut off that is only slow. Where the user has a
 * function for that, it gives the stream instead.
 *
 * @throws ConnectionFailedError with the last failure as its cause; TlsError where one was of TLS.
 */
export async function openSocket(
  address: BrokerAddress,
  { timeoutMs, signal, isNeeded, hosts, origin = '', tls, create, connect, clock }: ConnectTerms,
): Promise<Duplex> {
  const deadline = clock.now() + timeoutMs
  const attempt = new AbortController()
  allowAnyNumberOfListeners(attempt.signal)
  const onAbort = () => attempt.abort(new Error('closed by this client'))
  const watch = clock
    .setInterval(() => {
      if (!isNeeded()) attempt.abort(new Error('nobody waits for it any more'))
    }, UNNEEDED_CONNECT_MS)
    .unref()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    // Called off while its terms were being found out: neither the user nor the resolver is asked for anything.
    attempt.signal.throwIfAborted()
    const left = () => deadline - clock.now()
    if (create !== undefined) {
      const stream = await givenStream(create, address, { clock, timeoutMs, signal: attempt.signal })
      if (tls === undefined && !isConnecting(stream)) return stream
      return await connectTo(address.host, address, {
        clock,
        timeoutMs: left(),
        signal: attempt.signal,
        tls,
        over: stream,
      })
    }
    // The cluster may tell anything, which TLS would take for a fault of its options.
    if (!(address.port > 0 && address.port <= HIGHEST_PORT)) throw new Error(`there is no port ${address.port}`)
    const found = await within(
      clock,
      timeoutMs,
      orAborted(hosts.addressesOf(address.host, attempt.signal), attempt.signal),
    )
    if (found === undefined) throw new Error(`its name was not resolved within ${timeoutMs} ms`)
    const headStartMs = Math.min(MAX_HEAD_START_MS, timeoutMs / found.length)
    return await firstToConnect(clock, found, headStartMs, async (host) => {
      attempt.signal.throwIfAborted()
      const to = { host, port: address.port }
      const socket = connect?.(to) ?? (tls === undefined ? connectTcp(to) : undefined)
      return await connectTo(host, address, { clock, timeoutMs: left(), signal: attempt.signal, tls, over: socket })
    })
  } catch (failure) {
    if (failure instanceof TlsError) throw failure
    throw new ConnectionFailedError(
      `can't connect to ${formatAddress(address)}${origin}: ${foreignText((failure as Error).message)}`,
      {
        cause: failure,
      },
    )
  } finally {
    clock.clearInterval(watch)
    signal.removeEventListener('abort', onAbort)
    // Those that came off second best.
    attempt.abort()
  }
}

function firstToConnect(
  clock: Clock,
  hosts: readonly string[],
  headStartMs: number,
  connect: (host: string) => Promise<Duplex>,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    let started = 0
    let failed = 0
    let isSettled = false
    let failure: unknown
    let timer: Timer | undefined
    const startNext = () => {
      clock.clearTimeout(timer)
      const host = hosts[started]
      if (host === undefined || isSettled) return
      started++
      timer = clock.setTimeout(startNext, headStartMs).unref()
      connect(host).then(onConnected, onFailed)
    }
    const onConnected = (socket: Duplex) => {
      if (isSettled) return void socket.destroy()
      isSettled = true
      clock.clearTimeout(timer)
      resolve(socket)
    }
    const onFailed = (error: unknown) => {
      // A name may have addresses where nothing listens: what the broker itself did wrong tells more.
      if (!(failure instanceof TlsError)) failure = error
      if (++failed < hosts.length) return startNext()
      clock.clearTimeout(timer)
      reject(failure)
    }
    startNext()
  })
}

/** How one address of a name is connected to. */
interface AttemptTerms extends Pick<ConnectTerms, 'clock' | 'timeoutMs' | 'signal'> {
  readonly tls: TlsSettings | undefined
  /** What is being connected already, or is; undefined where TLS opens its own. */
  readonly over: Duplex | undefined
}

/** @param host the address itself; `address` has the name that was given */
function connectTo(
  host: string,
  address: BrokerAddress,
  { clock, timeoutMs, signal, tls, over }: AttemptTerms,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    // A stream that the user gave need not be a socket, also where it is one that is connecting still.
    const socket: Stream = tls === undefined ? (over as Duplex) : startTls(host, address, tls, over)
    socket.unref?.()
    let isConnected = over !== undefined && !isConnecting(over)
    const deadline = new Deadline(clock, timerDelay(timeoutMs), () => {
      const what = isConnected ? 'finish the TLS handshake' : 'accept'
      const late = new Error(`${host} did not ${what} within ${Math.round(timeoutMs)} ms`)
      destroyStream(socket, Object.assign(late, { code: 'ETIMEDOUT' }))
    }).unref()
    const onAbort = () => destroyStream(socket, signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    const settle = () => {
      deadline.cancel()
      signal.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      socket.off('close', onClose)
    }
    const onError = (given: unknown) => {
      settle()
      const error = streamError(given)
      const isHandshake = isConnected && tls !== undefined && !signal.aborted
      if (isHandshake) tls.forget()
      reject(isHandshake ? handshakeError(error, address) : error)
    }
    const onClose = () => onError(new Error('the connection was closed'))
    socket.once('error', onError)
    socket.once('close', onClose)
    socket.once('connect', () => {
      isConnected = true
      socket.setNoDelay?.(true)
      socket.setKeepAlive?.(true, KEEP_ALIVE_MS)
    })
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      settle()
      resolve(socket)
    })
  })
}

function startTls(host: string, address: BrokerAddress, tls: TlsSettings, over: Duplex | undefined): Socket {
  try {
    // An address can't be asked for.
    const servername = tls.options.servername ?? (isIP(address.host) ? '' : nameInTls(address.host))
    const socket = process
      .getBuiltinModule('node:tls')
      .connect({ ...tls.options, host, port: address.port, servername, ...(over !== undefined && { socket: over }) })
    socket.on('session', (session: Buffer) => tls.keep(session))
    // What is put on top of a stream does not end with it by itself.
    over?.once('close', () => socket.destroy())
    if (over !== undefined) socket.once('close', () => destroyStream(over))
    return socket
  } catch (cause) {
    if (over !== undefined) destroyStream(over)
    throw new TlsError(`the options given as \`ssl\` can't be used: ${(cause as Error).message}`, {
      cause,
      retriable: tls.mayChange,
    })
  }
}

/**
 * The name that is asked for, and that the certificate must have. The dot that ends a full name is no part of it there, and
 * Java's brokers refuse a name that has it; letters beyond ASCII are written as in DNS (RFC 6066, 3).
 */
function nameInTls(host: string): string {
  const name = host.replace(/\.$/, '')
  return /\P{ASCII}/u.test(name) ? domainToASCII(name) || name : name
}

function handshakeError(error: Error, address: BrokerAddress): TlsError {
  // Of a check of the user's.
  if (error instanceof TlsError) return error
  const broker = formatAddress(address)
  const hint = 'if its port has no TLS, leave `ssl` out or take the port of its TLS listener'
  return (
    tlsProblem(error, broker) ??
    new TlsError(`${broker}: no TLS handshake: ${foreignText(error.message)}; ${hint}`, {
      cause: asCause(error),
      retriable: true,
    })
  )
}
