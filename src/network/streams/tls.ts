import type { ConnectionOptions, PeerCertificate } from 'node:tls'
import type { Clock } from '../../clock.js'
import { TlsError } from '../../errors.js'
import { foreignText } from '../../wording/foreign-text.js'
import { thrownCause, thrownMessage } from '../../wording/thrown-message.js'
import { LatestUsed } from '../latest-used.js'
import type { Secret } from '../secret.js'
import { askUser, NothingCame } from '../user-code.js'
import { formatAddress, type BrokerAddress, type TlsSettings } from './connect.js'
import { contentDigest } from './content-digest.js'
import { asCause, tlsProblem } from './tls-errors.js'
import { checkTlsOptions } from './tls-options.js'

/** Node's options of a TLS connection. */
export type SslOptions = ConnectionOptions
/** True: Node's defaults. A function is asked at each connection, so that new certificates need no restart. */
export type SslOption = true | SslOptions | ((broker: BrokerAddress) => SslOptions | Promise<SslOptions>)

/** As many brokers as a large cluster has, each with some kilobytes; addresses that come and go must not pile up. */
const MAX_SESSIONS = 500

interface KeptSession {
  /** What tells the options that it was begun with from any others. */
  readonly digest: string
  readonly session: Buffer
}

/** The TLS side of connections to one cluster: asks for the options, and keeps sessions for quicker handshakes. */
export class TlsClient {
  readonly #option: Secret<SslOption>
  readonly #sessions = new LatestUsed<string, KeptSession>(MAX_SESSIONS)

  constructor(
    option: Secret<SslOption>,
    private readonly clock: Clock,
  ) {
    this.#option = option
  }

  /**
   * What the next connection to a broker is made with.
   *
   * A session goes on with the certificates it was begun with, and checks neither certificate nor name again: it is taken
   * up only where the options are the same in every byte, and all of them can be compared.
   *
   * @param gone aborted when nobody wants to connect any more
   * @throws TlsError where the function of the user fails; `gone`'s reason
   */
  async settingsFor(address: BrokerAddress, timeoutMs: number, gone?: AbortSignal): Promise<TlsSettings> {
    const option = this.#option.reveal()
    const isFunction = typeof option === 'function'
    // A copy: what is compared is what the connection is made with.
    const options = isFunction
      ? { ...(await ask(this.clock, option, address, timeoutMs, gone)) }
      : option === true
        ? {}
        : { ...option }
    const digest = contentDigest(options)
    const name = formatAddress(address)
    const kept = this.#sessions.get(name)
    const session = kept !== undefined && kept.digest === digest ? kept.session : undefined
    return {
      options: {
        // Said here, so that an environment variable can't switch it off for the whole process.
        rejectUnauthorized: true,
        ...options,
        ...guarded(options, name),
        ...(session === undefined ? {} : { session }),
      },
      mayChange: isFunction,
      keep: (fresh) => {
        if (digest !== undefined) this.#sessions.set(name, { digest, session: fresh })
      },
      forget: () => this.#sessions.delete(name),
    }
  }
}

async function ask(
  clock: Clock,
  option: Extract<SslOption, (...args: never[]) => unknown>,
  address: BrokerAddress,
  timeoutMs: number,
  gone: AbortSignal | undefined,
): Promise<SslOptions> {
  const failed = (why: string, cause?: unknown) =>
    new TlsError(`${formatAddress(address)}: the function given as \`ssl\` ${why}`, {
      retriable: true,
      ...thrownCause(cause),
    })
  let options: unknown
  try {
    options = await askUser(clock, () => option(address), timeoutMs, gone)
  } catch (cause) {
    if (gone?.aborted === true) throw cause
    if (cause instanceof NothingCame) throw failed(`gave no options within ${timeoutMs} ms`)
    throw failed(`failed: ${thrownMessage(cause) ?? 'it threw no Error'}`, cause)
  }
  if (typeof options !== 'object' || options === null) throw failed('gave no object with options')
  try {
    return checkTlsOptions(options, 'ssl')
  } catch (cause) {
    throw failed(`gave options that can't be used: ${(cause as Error).message}`, cause)
  }
}

/** Functions among the options, which Node calls amid a handshake: what they throw there would end the process. */
function guarded({ checkServerIdentity, pskCallback }: SslOptions, broker: string): SslOptions {
  return {
    ...(typeof checkServerIdentity === 'function' && {
      checkServerIdentity: (host: string, certificate: PeerCertificate) =>
        identityProblem(broker, () => checkServerIdentity(host, certificate)),
    }),
    ...(typeof pskCallback === 'function' && {
      pskCallback: (hint: string | null) => {
        try {
          return nowOrNever(pskCallback(hint))
        } catch {
          // No key: the handshake fails.
          return null
        }
      },
    }),
  }
}

/** What a function gave; of an async one whatever comes of it comes too late, and must not reject unheard. */
function nowOrNever<T>(given: T): T {
  Promise.resolve(given).catch(() => undefined)
  return given
}

/** What a function given as `checkServerIdentity` finds wrong with a certificate; anything but "nothing" refuses it. */
function identityProblem(broker: string, check: () => unknown): TlsError | undefined {
  try {
    const problem = check()
    if (!problem) return undefined
    const why = thrownMessage(problem)
    if (why === undefined) nowOrNever(problem)
    // It may have given what Node's own check found.
    const known = why === undefined ? undefined : tlsProblem(problem, broker, 'open')
    if (known !== undefined) return known
    const said = foreignText(why ?? 'what it gave is neither undefined nor an Error')
    return new TlsError(`${broker}: \`ssl: { checkServerIdentity }\` refuses its certificate: ${said}`, {
      ...(why !== undefined && { cause: asCause(problem) }),
    })
  } catch (cause) {
    const said = foreignText(thrownMessage(cause) ?? 'it threw no Error')
    return new TlsError(`${broker}: \`ssl: { checkServerIdentity }\` failed: ${said}`, {
      ...thrownCause(cause),
      retriable: true,
    })
  }
}
