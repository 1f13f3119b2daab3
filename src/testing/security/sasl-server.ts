import type { Clock } from '../../clock.js'
import type { SaslAuthenticateResponse } from '../../protocol/apis/sasl-authenticate.js'
import type { SaslHandshakeResponse } from '../../protocol/apis/sasl-handshake.js'
import { ByteReader } from '../../protocol/byte-reader.js'
import { ErrorCodes } from '../../protocol/error-codes.js'
import { readRequestHeader } from '../../protocol/header.js'
import type { Random } from '../../random.js'
import type { Surroundings } from '../../surroundings.js'
import { fields, invalid, listOf, milliseconds, oneOf, recordOf, type Check } from '../checks.js'
import { Newest } from '../newest.js'
import type { Release } from '../releases.js'
import { scramServer } from './scram-server.js'

export type SaslMechanismName = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'

/** A user's password, or those by mechanism: by one that has none here the user can't come in. */
export type EmbeddedPassword = string | Readonly<Partial<Record<SaslMechanismName, string | undefined>>>

/** The password of a user, for one mechanism; undefined where there is none. */
export type PasswordOf = (user: string) => string | undefined

/** Who may come in, and how. */
export interface EmbeddedSaslOptions {
  /** Default: all four. */
  mechanisms?: readonly SaslMechanismName[] | undefined
  /**
   * Names and passwords, for PLAIN and SCRAM; one password for all, or one for each mechanism, as Kafka keeps them. Tokens
   * of OAUTHBEARER are taken unsigned: their `sub` and `exp` are looked at.
   */
  users?: Readonly<Record<string, EmbeddedPassword>> | undefined
  /** Milliseconds after which a client must have authenticated anew (`connections.max.reauth.ms`). Default: no limit. */
  sessionLifetimeMs?: number | undefined
}

/** An attempt of a client to authenticate. */
export interface Authentication {
  readonly connection: number
  readonly mechanism: string
  /** As the client says. */
  readonly user: string
  readonly succeeded: boolean
  /** Whether the connection was authenticated before. */
  readonly renewed: boolean
}

export type Verdict =
  | { readonly kind: 'goes on'; readonly token: Buffer }
  | { readonly kind: 'accepted'; readonly user: string; readonly token: Buffer; readonly lifetimeMs?: number }
  | { readonly kind: 'refused'; readonly user: string; readonly message: string }

const ALL: readonly SaslMechanismName[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']
const SASL_HANDSHAKE = 17
const SASL_AUTHENTICATE = 36
const API_VERSIONS = 18
const EMPTY = Buffer.alloc(0)
const INJECTED = 'Authentication failed: the test says so'
/** What Kafka says to a token that no handshake came before. */
export const NO_HANDSHAKE = 'SaslAuthenticate request received after successful authentication'

/** Says nothing of what was given, which may be a password all the same. */
const checkPassword: Check = (name, value) => {
  const isPassword = (one: unknown): boolean => one === undefined || typeof one === 'string'
  if (isPassword(value)) return
  if (typeof value !== 'object' || value === null || !Object.values(value).every(isPassword))
    throw invalid(`${name}: allowed is a password, or an object with one for each mechanism`)
  for (const mechanism of Object.keys(value)) oneOf(ALL)(`a mechanism of ${name}`, mechanism)
}

export const checkSasl = fields<EmbeddedSaslOptions>({
  mechanisms: listOf(oneOf(ALL)),
  users: recordOf(checkPassword),
  sessionLifetimeMs: milliseconds,
})

/** What depends on the release. */
type SaslManners = Pick<Release, 'endsSessions' | 'tellsStrangersVersionsOnce' | 'wantsScramNonceAlone'>

/** What the brokers of a cluster know of users, and of who has come in. */
export class SaslServer {
  readonly users: Map<string, EmbeddedPassword>
  readonly mechanisms: readonly SaslMechanismName[]
  readonly authentications: Newest<Authentication>
  /** Connections that the brokers closed over a session that had ended. */
  expiredConnections = 0
  sessionLifetimeMs: number

  readonly clock: Clock
  private readonly random: Random

  constructor(options: EmbeddedSaslOptions, history: number, { clock, random }: Surroundings) {
    this.authentications = new Newest(history)
    this.clock = clock
    this.random = random
    this.users = new Map(Object.entries(options.users ?? {}))
    this.mechanisms = options.mechanisms ?? ALL
    this.sessionLifetimeMs = options.sessionLifetimeMs ?? 0
  }

  begin(mechanism: string, { wantsScramNonceAlone }: SaslManners): ((token: Buffer) => Verdict) | undefined {
    if (!this.mechanisms.some((known) => known === mechanism)) return undefined
    const name = mechanism as SaslMechanismName
    const passwordOf: PasswordOf = (user) => {
      const password = this.users.get(user)
      return typeof password === 'object' ? password[name] : password
    }
    switch (name) {
      case 'PLAIN':
        return (token) => plain(token, passwordOf)
      case 'SCRAM-SHA-256':
        return scramServer('sha256', passwordOf, this.random, wantsScramNonceAlone)
      case 'SCRAM-SHA-512':
        return scramServer('sha512', passwordOf, this.random, wantsScramNonceAlone)
      case 'OAUTHBEARER':
        return oauthBearer(this.clock)
    }
  }
}

/** One connection to a listener that wants SASL. */
export class SaslSession {
  private current: { mechanism: string; isBare: boolean; check: (token: Buffer) => Verdict } | undefined
  /** Who has come in; undefined as long as nobody has. */
  private user: string | undefined
  private endsAt = Infinity
  private hasVersions = false
  /** The client was refused: the connection closes after the answer that tells it. */
  isOver = false

  constructor(
    private readonly server: SaslServer,
    private readonly connection: number,
    private readonly release: SaslManners,
  ) {}

  /** Whether the next frame is a token as it is, with no request around it. */
  get awaitsBareToken(): boolean {
    return this.current?.isBare === true
  }

  /** Whether a request is served at this point; a broker hangs up on others. */
  admits(frame: Buffer): boolean {
    const reader = new ByteReader(frame)
    const { apiKey } = readRequestHeader(reader)
    if (reader.invalid) return false
    if (this.current !== undefined) return apiKey === SASL_AUTHENTICATE
    if (apiKey === SASL_HANDSHAKE) return true
    if (this.user === undefined)
      return apiKey === API_VERSIONS && !(this.hasVersions && this.release.tellsStrangersVersionsOnce)
    if (this.server.clock.timestamp() <= this.endsAt) return true
    this.server.expiredConnections++
    return false
  }

  /** The client was told what the broker speaks. */
  toldVersions(): void {
    this.hasVersions = true
  }

  /** @param injected the error to refuse the handshake with, whatever it is for */
  handshake(mechanism: string, isBare: boolean, injected?: number): SaslHandshakeResponse {
    // Only what has an end is renewed.
    if (this.user !== undefined && this.endsAt === Infinity)
      return { errorCode: injected ?? ErrorCodes.ILLEGAL_SASL_STATE, mechanisms: [] }
    if (injected !== undefined) {
      this.isOver = true
      return { errorCode: injected, mechanisms: [] }
    }
    const check = this.server.begin(mechanism, this.release)
    this.current = check && { mechanism, isBare, check }
    this.isOver = check === undefined
    return {
      errorCode: check === undefined ? ErrorCodes.UNSUPPORTED_SASL_MECHANISM : 0,
      mechanisms: this.server.mechanisms,
    }
  }

  /** @param injected the error to refuse the token with, whatever it is */
  authenticate(token: Buffer, injected?: number): SaslAuthenticateResponse {
    const refusal = (errorCode: number, errorMessage: string | null) => ({
      errorCode,
      errorMessage,
      authBytes: EMPTY,
      sessionLifetimeMs: 0,
    })
    if (this.current === undefined) return refusal(injected ?? ErrorCodes.ILLEGAL_SASL_STATE, NO_HANDSHAKE)
    const verdict = this.judge(token, injected !== undefined)
    if (verdict.kind === 'refused') return refusal(injected ?? ErrorCodes.SASL_AUTHENTICATION_FAILED, verdict.message)
    const sessionLifetimeMs =
      verdict.kind === 'accepted' && this.endsAt !== Infinity ? this.endsAt - this.server.clock.timestamp() : 0
    return { errorCode: 0, errorMessage: null, authBytes: verdict.token, sessionLifetimeMs }
  }

  /** The answer to a bare token, itself one; undefined where it is refused, for which there is no answer. */
  bareToken(token: Buffer, isInjected: boolean): Buffer | undefined {
    const verdict = this.judge(token, isInjected)
    if (verdict.kind === 'refused') return undefined
    const size = Buffer.alloc(4)
    size.writeInt32BE(verdict.token.length)
    return Buffer.concat([size, verdict.token])
  }

  private judge(token: Buffer, isInjected: boolean): Verdict {
    const { mechanism, check } = this.current as NonNullable<typeof this.current>
    const own = this.unlessAnother(check(token))
    const verdict: Verdict = isInjected
      ? { kind: 'refused', user: own.kind === 'goes on' ? '' : own.user, message: INJECTED }
      : own
    if (verdict.kind === 'goes on') return verdict
    const succeeded = verdict.kind === 'accepted'
    this.server.authentications.add({
      connection: this.connection,
      mechanism,
      user: verdict.user,
      succeeded,
      renewed: this.user !== undefined,
    })
    this.current = undefined
    this.user = succeeded ? verdict.user : undefined
    this.isOver = !succeeded
    if (succeeded && this.release.endsSessions) {
      const lifetimeMs = Math.min(this.server.sessionLifetimeMs || Infinity, verdict.lifetimeMs ?? Infinity)
      this.endsAt = this.server.clock.timestamp() + lifetimeMs
    }
    return verdict
  }

  /** A session is renewed by whom it was begun by. */
  private unlessAnother(verdict: Verdict): Verdict {
    const { user } = this
    if (verdict.kind !== 'accepted' || user === undefined || user === verdict.user) return verdict
    const message = `Cannot change principals during re-authentication from User.${user}: User.${verdict.user}`
    return { kind: 'refused', user: verdict.user, message }
  }
}

function plain(token: Buffer, passwordOf: PasswordOf): Verdict {
  const parts = token.toString('utf8').split('\0')
  const [authorizationId = '', user = '', password] = parts
  const refused = (message: string): Verdict => ({ kind: 'refused', user, message })
  if (parts.length !== 3)
    return refused(`Invalid SASL/PLAIN response: expected 3 tokens, got ${Math.min(parts.length, 4)}`)
  if (user === '') return refused('Authentication failed: username not specified')
  if (password === '') return refused('Authentication failed: password not specified')
  if (passwordOf(user) !== password) return refused('Authentication failed: Invalid username or password')
  // Kafka has nobody act for others.
  if (authorizationId !== '' && authorizationId !== user)
    return refused('Authentication failed: Client requested an authorization id that is different from username')
  return { kind: 'accepted', user, token: EMPTY }
}

/** As Kafka's own validator for development takes them: a JSON Web Token without a signature. */
function oauthBearer(clock: Clock): (token: Buffer) => Verdict {
  let refusal: Verdict | undefined
  return (token) => {
    if (refusal !== undefined) return refusal
    // eslint-disable-next-line no-control-regex
    const payload = /auth=Bearer [^.\x01]*\.([^.\x01]*)\./.exec(token.toString('latin1'))?.[1] ?? ''
    const { sub, exp } = readJson(Buffer.from(payload, 'base64url').toString())
    const user = typeof sub === 'string' ? sub : ''
    const lifetimeMs = typeof exp === 'number' ? exp * 1000 - clock.timestamp() : 0
    if (user !== '' && lifetimeMs > 0) return { kind: 'accepted', user, token: EMPTY, lifetimeMs }
    const error = '{"status":"invalid_token"}'
    refusal = { kind: 'refused', user, message: error }
    return { kind: 'goes on', token: Buffer.from(error) }
  }
}

function readJson(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}
