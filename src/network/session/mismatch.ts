import { AuthenticationError, ConnectionClosedError, ConnectionFailedError, TlsError } from '../../errors.js'
import { saslHandshake } from '../../protocol/apis/sasl-handshake.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { foreignText } from '../../wording/foreign-text.js'
import type { BrokerConnection } from '../connection/broker-connection.js'
import { speaksTls } from '../connection/foreign-protocol.js'
import { formatAddress, type TlsSettings } from '../streams/connect.js'
import { speaksNoTls } from '../streams/tls-errors.js'

/*
 * A broker that is spoken to with TLS, without TLS or without SASL where it expects the opposite mostly hangs up without a
 * word. So does whoever forwards ports, such as Docker's proxy, a load balancer or the sidecar of a mesh, for as long as
 * nothing is behind it: a guess would fail messages that only had to wait. So its port is asked the other way, and what
 * answers then is proof.
 */

/** How a TLS handshake ends that the peer cuts off, or does not understand and waits for more of. */
const CUT_OFF: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT'])

/** Of a connection that is only to find out whether TLS is spoken: nothing is sent on it. */
export const PROBE_TLS: TlsSettings = {
  options: { rejectUnauthorized: false },
  mayChange: false,
  keep: () => undefined,
  forget: () => undefined,
}

/** Whether a session could not be opened since the peer hung up without a word. */
export function isHangUp(error: unknown, usesTls: boolean): boolean {
  if (usesTls) return error instanceof TlsError && error.retriable && CUT_OFF.has(codeOf(error.cause))
  return error instanceof ConnectionFailedError && error.cause instanceof ConnectionClosedError
}

/** After a hang-up without TLS: whether there is TLS on this port. */
export async function findTls(connect: () => Promise<BrokerConnection>): Promise<TlsError | undefined> {
  try {
    const connection = await connect()
    void connection.close(0)
    return speaksTls(formatAddress(connection.address))
  } catch (error) {
    // It refuses the handshake, for want of a certificate or a cipher: by TLS.
    const code = error instanceof TlsError ? codeOf(error.cause) : undefined
    if (typeof code !== 'string' || !code.includes('ALERT')) return undefined
    return new TlsError(`${(error as TlsError).message}; and \`ssl\` is not given`, { cause: error })
  }
}

/** After a hang-up amid the TLS handshake: whether there is Kafka without TLS on this port. */
export async function findNoTls(
  connect: () => Promise<BrokerConnection>,
  ask: (connection: BrokerConnection) => Promise<unknown>,
): Promise<TlsError | undefined> {
  let connection: BrokerConnection | undefined
  try {
    connection = await connect()
    await ask(connection)
    return speaksNoTls(formatAddress(connection.address))
  } catch {
    return undefined
  } finally {
    void connection?.close(0)
  }
}

/** After a hang-up on what needs a session: whether it wants SASL on this port. A broker without says so. */
export async function findSasl(
  connection: BrokerConnection,
  version: number,
  timeoutMs: number,
): Promise<AuthenticationError | undefined> {
  try {
    const { errorCode, mechanisms } = await connection.request(
      saslHandshake,
      version,
      { mechanism: 'PLAIN' },
      { timeoutMs },
    )
    if (errorCode !== ErrorCodes.NONE && errorCode !== ErrorCodes.UNSUPPORTED_SASL_MECHANISM) return undefined
    return new AuthenticationError(
      `${formatAddress(connection.address)} wants SASL on this port, by ${foreignText(mechanisms.join(', '))}: give \`sasl\`, or take the port of a listener without it`,
    )
  } catch {
    return undefined
  } finally {
    void connection.close(0)
  }
}

function codeOf(cause: unknown): unknown {
  return (cause as { code?: unknown } | undefined)?.code
}
