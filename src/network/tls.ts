import type { ConnectionOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { TlsError } from '../errors.js'
import { formatAddress, type BrokerAddress, type TlsSettings } from './connect.js'
import type { Secret } from './secret.js'
import { thrownMessage } from './thrown-message.js'
import { checkTlsOptions } from './tls-options.js'
import { within } from './within.js'

/** Node's options of a TLS connection. */
export type SslOptions = ConnectionOptions
/** True: Node's defaults. A function is asked at each connection, so that new certificates need no restart. */
export type SslOption = true | SslOptions | ((broker: BrokerAddress) => SslOptions | Promise<SslOptions>)

interface KeptSession {
  readonly options: SslOptions
  readonly session: Buffer
}

/** The TLS side of connections to one cluster: asks for the options, and keeps sessions for quicker handshakes. */
export class TlsClient {
  readonly #option: Secret<SslOption>
  readonly #sessions = new Map<string, KeptSession>()

  constructor(option: Secret<SslOption>) {
    this.#option = option
  }

  /**
   * What the next connection to a broker is made with.
   *
   * @throws TlsError where the function of the user fails
   */
  async settingsFor(address: BrokerAddress, timeoutMs: number): Promise<TlsSettings> {
    const option = this.#option.reveal()
    const isFunction = typeof option === 'function'
    const options = isFunction ? await ask(option, address, timeoutMs) : option === true ? {} : option
    const name = formatAddress(address)
    const kept = this.#sessions.get(name)
    // A session goes on with the certificates it was begun with: with others it must not be taken up.
    const session = kept !== undefined && isDeepStrictEqual(kept.options, options) ? kept.session : undefined
    return {
      // Said here, so that an environment variable can't switch it off for the whole process.
      options: { rejectUnauthorized: true, ...options, ...(session === undefined ? {} : { session }) },
      mayChange: isFunction,
      keep: (fresh) => this.#sessions.set(name, { options, session: fresh }),
      forget: () => this.#sessions.delete(name),
    }
  }
}

async function ask(
  option: Extract<SslOption, (...args: never[]) => unknown>,
  address: BrokerAddress,
  timeoutMs: number,
): Promise<SslOptions> {
  const failed = (why: string, cause?: unknown) =>
    new TlsError(`${formatAddress(address)}: the function given as \`ssl\` ${why}`, {
      retriable: true,
      ...(cause === undefined ? {} : { cause }),
    })
  let options: SslOptions | undefined
  try {
    options = await within(timeoutMs, Promise.resolve(option(address)))
  } catch (cause) {
    throw failed(`failed: ${thrownMessage(cause) ?? 'it threw no Error'}`, cause)
  }
  if (typeof options !== 'object' || options === null) throw failed(`gave no options within ${timeoutMs} ms`)
  try {
    return checkTlsOptions(options, 'ssl')
  } catch (cause) {
    throw failed(`gave options that can't be used: ${(cause as Error).message}`, cause)
  }
}
