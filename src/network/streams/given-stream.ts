import type { Duplex } from 'node:stream'
import type { Clock } from '../../clock.js'
import { kindOf } from '../../wording/kind-of.js'
import { thrownCause, thrownMessage } from '../../wording/thrown-message.js'
import { askUser, NothingCame } from '../user-code.js'
import type { BrokerAddress } from './connect.js'
import type { Stream } from './stream.js'

/**
 * The option of that name: gives the stream to a broker, in place of a TCP connection. The signal is aborted when nobody
 * wants it any more.
 */
export type CreateConnection = (address: BrokerAddress, signal: AbortSignal) => Duplex | Promise<Duplex>

/**
 * Asks the user's function for the stream to a broker. What it gives when nobody waits any more is destroyed.
 *
 * @param signal gives up; handed on to the function
 * @throws Error that says what was wrong, for whoever knows the address
 */
export async function givenStream(
  create: CreateConnection,
  { host, port }: BrokerAddress,
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): Promise<Duplex> {
  const wanted = new AbortController()
  const onAbort = () => wanted.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let given: Promise<unknown> | undefined
  try {
    const stream = await askUser(
      clock,
      // Called within a promise: what it throws is what that rejects with.
      () => (given = Promise.resolve(create({ host, port }, wanted.signal))),
      timeoutMs,
      signal,
    )
    return checked(stream)
  } catch (cause) {
    wanted.abort(cause)
    given?.then(discard, () => undefined)
    if (signal.aborted || cause instanceof WrongStream) throw cause
    const why =
      cause instanceof NothingCame
        ? `gave no stream within ${timeoutMs} ms`
        : `failed: ${thrownMessage(cause) ?? 'it threw no Error'}`
    throw new Error(`\`createConnection\` ${why}`, thrownCause(cause))
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Whether it is a socket that has not got its connection yet: what is written to it would wait. */
export function isConnecting(stream: Duplex): boolean {
  return (stream as Stream).connecting === true
}

class WrongStream extends Error {}

const METHODS = ['on', 'once', 'write', 'end', 'destroy', 'cork', 'uncork', 'pause', 'resume'] as const

function checked(given: unknown): Duplex {
  const refuse = (what: string): never => {
    throw new WrongStream(`\`createConnection\` gave ${what}, allowed is a stream of bytes (Duplex) that is open`)
  }
  const stream = (typeof given === 'object' && given !== null ? given : {}) as Stream
  if (METHODS.some((method) => typeof stream[method] !== 'function')) return refuse(kindOf(given))
  if (stream.readableObjectMode || stream.writableObjectMode) return refuse('a stream of objects')
  if (typeof stream.readableEncoding === 'string') return refuse('a stream that makes text of bytes (setEncoding)')
  // As long as somebody listens for that nothing flows to anybody else.
  if (stream.listenerCount?.('readable') > 0) return refuse("a stream with a listener for 'readable'")
  if (stream.destroyed || (!isConnecting(stream) && !(stream.readable && stream.writable)))
    return refuse('a stream that is closed')
  // Whoever has it next listens for more; in between an error must not end the process.
  stream.on('error', () => undefined)
  stream.setNoDelay?.(true)
  return stream
}

/** It is nobody's any more, whatever it is. */
function discard(given: unknown): void {
  try {
    const stream = given as Duplex
    stream.on('error', () => undefined)
    stream.destroy()
  } catch {
    // No stream.
  }
}
