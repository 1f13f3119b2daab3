import { systemClock, type Clock } from '../../clock.js'
import { AuthenticationError, ConnectionClosedError, KafkaProducerError } from '../../errors.js'
import { saslAuthenticate } from '../../protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../protocol/apis/sasl-handshake.js'
import { brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import { LEGACY_VERSIONS, type ServedVersions } from '../../protocol/versions.js'
import { foreignText } from '../../wording/foreign-text.js'
import { thrownCause, thrownMessage } from '../../wording/thrown-message.js'
import type { BrokerConnection } from '../connection/broker-connection.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'
import { askUser, NothingCame } from '../user-code.js'
import type { SaslExchange, SaslMechanism } from './mechanism.js'

/** GSSAPI needs four; without an end a peer could keep a client busy for ever. */
const MAX_STEPS = 32

/** What AWS MSK refuses credentials with where connections come faster than it takes them: nothing is wrong with these. */
const TOO_FAST = /too many connects/i

/** What is shorter is found in any text. */
const MIN_SECRET = 3

/** The broker hung up on a token that went bare, as those of Kafka before 1.0 do on wrong credentials. */
export class HungUpOnToken extends AuthenticationError {}

/** Takes a connection through SASL: which mechanism, then its tokens. */
export class Authenticator {
  /**
   * @param timeoutMs how long a broker may take for an answer
   * @param userTimeoutMs how long the user's functions may take for credentials, or for a token
   */
  constructor(
    private readonly mechanism: SaslMechanism,
    private readonly timeoutMs: number,
    readonly userTimeoutMs = timeoutMs,
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * Asks for the credentials. Retriable where that failed: the next attempt may have them.
   *
   * @param gone aborted when the connection that they are for has ended: whoever asks waits no longer
   */
  async begin(broker: BrokerAddress, gone?: AbortSignal): Promise<SaslExchange> {
    try {
      return await askUser(this.clock, () => this.mechanism.begin(broker), this.userTimeoutMs, gone)
    } catch (cause) {
      if (cause instanceof AuthenticationError || gone?.aborted === true) throw cause
      const { name } = this.mechanism
      if (cause instanceof NothingCame)
        throw new AuthenticationError(`the credentials for ${name} did not come within ${cause.timeoutMs} ms`, {
          retriable: true,
        })
      const retriable = cause instanceof KafkaProducerError ? cause.retriable : true
      throw new AuthenticationError(`the credentials for ${name} could not be had: ${reason(cause)}`, {
        ...thrownCause(cause),
        retriable,
      })
    }
  }

  /**
   * Authenticates, for the first time or anew.
   *
   * @returns how long the session lasts, in milliseconds; 0: without limit
   * @throws AuthenticationError, and what a request throws
   */
  async run(connection: BrokerConnection, versions: ServedVersions, exchange: SaslExchange): Promise<number> {
    const send =
      versions === LEGACY_VERSIONS ? this.sendFirstBare(connection) : await this.handshake(connection, versions)
    let lifetimeMs = 0
    let token = await this.next(connection, exchange, undefined)
    for (let step = 0; token !== undefined; step++) {
      if (step === MAX_STEPS)
        throw new AuthenticationError(
          `${formatAddress(connection.address)} finds no end of ${this.mechanism.name} after ${MAX_STEPS} tokens`,
        )
      const answer = await send(token)
      lifetimeMs = answer.sessionLifetimeMs
      token = await this.next(connection, exchange, answer.authBytes)
    }
    return lifetimeMs
  }

  private async next(
    connection: BrokerConnection,
    exchange: SaslExchange,
    challenge: Buffer | undefined,
  ): Promise<Buffer | undefined> {
    const { gone } = connection
    const broker = formatAddress(connection.address)
    try {
      return await askUser(this.clock, () => exchange.next(challenge, gone), this.userTimeoutMs, gone)
    } catch (cause) {
      if (gone.aborted) throw cause
      if (cause instanceof NothingCame)
        throw new AuthenticationError(
          `${broker}: the next token for ${this.mechanism.name} did not come within ${cause.timeoutMs} ms`,
          { retriable: true },
        )
      throw new AuthenticationError(`${broker}: ${reason(cause)}`, thrownCause(cause))
    }
  }

  /** Kafka 0.9 has no handshake, and no mechanism but GSSAPI. */
  private sendFirstBare(connection: BrokerConnection): TokenSender {
    if (this.mechanism.name !== 'GSSAPI') {
      throw new AuthenticationError(
        `Kafka 0.9 has GSSAPI alone, not ${this.mechanism.name}: leave \`brokerVersion\` out where brokers are newer`,
      )
    }
    return this.bareSender(connection)
  }

  private async handshake(connection: BrokerConnection, versions: ServedVersions): Promise<TokenSender> {
    const { name } = this.mechanism
    const broker = formatAddress(connection.address)
    const version = versions.highest(saslHandshake, versions.has(saslAuthenticate) ? 1 : 0)
    const answer = await connection.request(saslHandshake, version, { mechanism: name }, this.terms)
    if (answer.errorCode === ErrorCodes.UNSUPPORTED_SASL_MECHANISM) {
      throw new AuthenticationError(
        `${broker} does not take ${name}; it takes ${foreignText(answer.mechanisms.join(', ')) || 'none'}: give one of these as \`sasl: { mechanism }\``,
      )
    }
    if (answer.errorCode === ErrorCodes.ILLEGAL_SASL_STATE) {
      throw new AuthenticationError(
        `${broker} wants no SASL on this port: take the port of its SASL listener, or leave \`sasl\` out`,
      )
    }
    if (answer.errorCode !== ErrorCodes.NONE) throw brokerResponseError(answer.errorCode, 'SaslHandshake')
    return version === 0
      ? this.bareSender(connection)
      : this.framedSender(connection, versions.highest(saslAuthenticate))
  }

  private framedSender(connection: BrokerConnection, version: number): TokenSender {
    const sent: Buffer[] = []
    return async (authBytes) => {
      sent.push(authBytes)
      const answer = await connection.request(saslAuthenticate, version, { authBytes }, this.terms)
      if (answer.errorCode === ErrorCodes.SASL_AUTHENTICATION_FAILED)
        throw this.refusal(connection, withoutSecrets(answer.errorMessage, sent))
      if (answer.errorCode !== ErrorCodes.NONE)
        throw brokerResponseError(answer.errorCode, 'SaslAuthenticate', withoutSecrets(answer.errorMessage, sent))
      // A view of what was read from the socket, where the next bytes may go.
      return { authBytes: Buffer.from(answer.authBytes), sessionLifetimeMs: Number(answer.sessionLifetimeMs) }
    }
  }

  private bareSender(connection: BrokerConnection): TokenSender {
    let isLast = false
    return async (token) => {
      if (isLast) {
        connection.sendToken(token)
        return { authBytes: Buffer.alloc(0), sessionLifetimeMs: 0 }
      }
      // An empty one says that Kerberos is done; what the client then chooses of the broker's offer ends the exchange
      // (RFC 4752), and has no answer. In a SaslAuthenticate it has an empty one.
      isLast = this.mechanism.name === 'GSSAPI' && token.length === 0
      try {
        return { authBytes: await connection.exchangeToken(token, this.terms), sessionLifetimeMs: 0 }
      } catch (error) {
        if (!(error instanceof ConnectionClosedError)) throw error
        throw new HungUpOnToken(
          `${this.refusal(connection, null).message} (it hung up, as brokers before Kafka 1.0 do)`,
          { cause: error },
        )
      }
    }
  }

  private refusal(connection: BrokerConnection, told: string | null): AuthenticationError {
    const why = told === null || told === '' ? '' : `, saying: ${foreignText(told)}`
    const broker = formatAddress(connection.address)
    if (told !== null && TOO_FAST.test(told))
      return new AuthenticationError(`${broker} takes no more connections at the moment${why}`, { retriable: true })
    return new AuthenticationError(
      `${broker} refuses the credentials given as \`sasl\` for ${this.mechanism.name}${why}; ${this.mechanism.remedy}`,
    )
  }

  private get terms() {
    return { timeoutMs: this.timeoutMs, authentication: true }
  }
}

function reason(thrown: unknown): string {
  return foreignText(thrownMessage(thrown) ?? 'what was thrown is no Error')
}

/**
 * What a broker says, less what it may have from the tokens that it was sent: a careless one says a password back. The
 * longest goes first, or of one that has the name in it the rest would stay.
 */
function withoutSecrets(told: string | null, sent: readonly Buffer[]): string | null {
  if (told === null) return null
  // A field each; those of OAUTHBEARER have a name.
  // eslint-disable-next-line no-control-regex
  const fields = sent.flatMap((token) => token.toString('utf8').split(/[\0\x01]/))
  const values = fields.flatMap((field) => [field, field.replace(/^[A-Za-z]+=(Bearer )?/, '')])
  return values
    .filter(({ length }) => length >= MIN_SECRET)
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, value) => text.replaceAll(value, '[secret]'), told)
}

type TokenSender = (token: Buffer) => Promise<{ readonly authBytes: Buffer; readonly sessionLifetimeMs: number }>
