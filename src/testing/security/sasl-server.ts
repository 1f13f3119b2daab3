import { saslAuthenticate } from '../../protocol/apis/sasl-authenticate.js'
import { saslHandshake } from '../../protocol/apis/sasl-handshake.js'
import type { Api, ResponseEncoder } from '../../protocol/api.js'
import { ByteReader } from '../../protocol/byte-reader.js'
import { encodeResponseFrame } from '../../protocol/frame.js'
import { readRequestHeader, readRequestHeaderEnd, type RequestHeader } from '../../protocol/header.js'
import type { ClusterNode } from '../cluster.js'
import type { PendingRequest, Reply } from '../request-server.js'
import { scramServer } from './scram-server.js'

export type SaslMechanismName = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'

/** Who may come in, and how. */
export interface EmbeddedSaslOptions {
  /** Default: all four. */
  mechanisms?: readonly SaslMechanismName[]
  /** Names and passwords, for PLAIN and SCRAM. Tokens of OAUTHBEARER are taken unsigned: their `sub` and `exp` are looked at. */
  users?: Readonly<Record<string, string>>
  /** Milliseconds after which a client must have authenticated anew (`connections.max.reauth.ms`). Default: no limit. */
  sessionLifetimeMs?: number
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
const UNSUPPORTED_SASL_MECHANISM = 33
const ILLEGAL_SASL_STATE = 34
const SASL_AUTHENTICATION_FAILED = 58
const EMPTY = Buffer.alloc(0)

/** What the brokers of a cluster know of users, and of who has come in. */
export class SaslServer {
  readonly users: Map<string, string>
  readonly mechanisms: readonly SaslMechanismName[]
  readonly authentications: Authentication[] = []
  /** Connections that the brokers closed over a session that had ended. */
  expiredConnections = 0
  sessionLifetimeMs: number

  constructor(options: EmbeddedSaslOptions) {
    this.users = new Map(Object.entries(options.users ?? {}))
    this.mechanisms = options.mechanisms ?? ALL
    this.sessionLifetimeMs = options.sessionLifetimeMs ?? 0
  }

  begin(mechanism: string): ((token: Buffer) => Verdict) | undefined {
    if (!this.mechanisms.some((known) => known === mechanism)) return undefined
    switch (mechanism as SaslMechanismName) {
      case 'PLAIN': return (token) => plain(token, this.users)
      case 'SCRAM-SHA-256': return scramServer('sha256', this.users)
      case 'SCRAM-SHA-512': return scramServer('sha512', this.users)
      case 'OAUTHBEARER': return oauthBearer()
    }
  }
}

/** One connection to a listener that wants SASL. */
export class SaslSession {
  private current: { mechanism: string; isBare: boolean; check: (token: Buffer) => Verdict } | undefined
  private isAuthenticated = false
  private endsAt = Infinity

  constructor(
    private readonly server: SaslServer,
    private readonly broker: ClusterNode,
    private readonly connection: number,
  ) {}

  /** What is to be done with a frame when its turn comes. */
  receive(frame: Buffer, serveOther: () => PendingRequest): PendingRequest {
    // Kept beyond this turn, and the socket's buffer may not be.
    const bytes = Buffer.from(frame)
    return { serve: async (signals) => this.step(bytes) ?? serveOther().serve(signals) }
  }

  /** Undefined where the frame is a request like any other. */
  private step(frame: Buffer): Reply | undefined {
    if (this.current?.isBare === true) return this.bareToken(frame)
    const reader = new ByteReader(frame)
    const header = readRequestHeader(reader)
    if (reader.invalid) return { hangUp: true }
    if (header.apiKey === SASL_HANDSHAKE) return this.handshake(header, reader)
    if (header.apiKey === SASL_AUTHENTICATE) return this.authenticate(header, reader)
    if (this.current !== undefined) return { hangUp: true }
    if (header.apiKey === API_VERSIONS && !this.isAuthenticated) return undefined
    if (this.isAuthenticated && Date.now() > this.endsAt) {
      this.server.expiredConnections++
      return { hangUp: true }
    }
    return this.isAuthenticated ? undefined : { hangUp: true }
  }

  private handshake(header: RequestHeader, reader: ByteReader): Reply {
    const request = this.read(saslHandshake, header, reader)
    if (request === undefined) return { hangUp: true }
    const check = this.server.begin(request.mechanism)
    this.current = check && { mechanism: request.mechanism, isBare: header.apiVersion === 0, check }
    const errorCode = check === undefined ? UNSUPPORTED_SASL_MECHANISM : 0
    return respond(saslHandshake, header, { errorCode, mechanisms: this.server.mechanisms })
  }

  private authenticate(header: RequestHeader, reader: ByteReader): Reply {
    const request = this.read(saslAuthenticate, header, reader)
    if (request === undefined) return { hangUp: true }
    if (this.current === undefined) {
      return respond(saslAuthenticate, header, { errorCode: ILLEGAL_SASL_STATE, errorMessage: null, authBytes: EMPTY, sessionLifetimeMs: 0 })
    }
    const verdict = this.judge(request.authBytes)
    if (verdict.kind === 'refused') {
      const refusal = { errorCode: SASL_AUTHENTICATION_FAILED, errorMessage: verdict.message, authBytes: EMPTY, sessionLifetimeMs: 0 }
      return { ...respond(saslAuthenticate, header, refusal), hangUp: true }
    }
    const sessionLifetimeMs = verdict.kind === 'accepted' && this.endsAt !== Infinity ? this.endsAt - Date.now() : 0
    return respond(saslAuthenticate, header, { errorCode: 0, errorMessage: null, authBytes: verdict.token, sessionLifetimeMs })
  }

  private bareToken(frame: Buffer): Reply {
    const verdict = this.judge(frame)
    if (verdict.kind === 'refused') return { hangUp: true }
    const size = Buffer.alloc(4)
    size.writeInt32BE(verdict.token.length)
    return { bytes: Buffer.concat([size, verdict.token]) }
  }

  private judge(token: Buffer): Verdict {
    const { mechanism, check } = this.current as NonNullable<typeof this.current>
    const verdict = check(token)
    if (verdict.kind === 'goes on') return verdict
    const succeeded = verdict.kind === 'accepted'
    this.server.authentications.push({ connection: this.connection, mechanism, user: verdict.user, succeeded, renewed: this.isAuthenticated })
    this.current = undefined
    this.isAuthenticated = succeeded
    if (succeeded) {
      const lifetimeMs = Math.min(this.server.sessionLifetimeMs || Infinity, verdict.lifetimeMs ?? Infinity)
      this.endsAt = Date.now() + lifetimeMs
    }
    return verdict
  }

  private read<Request, Response>(api: Api<Request, Response>, header: RequestHeader, reader: ByteReader): Request | undefined {
    const range = this.broker.release.served(api.key)
    if (range === undefined || header.apiVersion < range.min || header.apiVersion > Math.min(range.max, api.maxVersion)) return undefined
    readRequestHeaderEnd(reader, api, header.apiVersion)
    const request = api.decodeRequest(reader, header.apiVersion)
    return reader.problem() === undefined ? request : undefined
  }
}

function respond<Response extends object>(api: ResponseEncoder<Response>, header: RequestHeader, response: Response): Reply {
  return { bytes: encodeResponseFrame(api, header.apiVersion, header.correlationId, response) }
}

function plain(token: Buffer, users: ReadonlyMap<string, string>): Verdict {
  const [, user = '', password] = token.toString('utf8').split('\0')
  if (password !== undefined && users.get(user) === password) return { kind: 'accepted', user, token: EMPTY }
  return { kind: 'refused', user, message: 'Authentication failed: Invalid username or password' }
}

/** As Kafka's own validator for development takes them: a JSON Web Token without a signature. */
function oauthBearer(): (token: Buffer) => Verdict {
  let refusal: Verdict | undefined
  return (token) => {
    if (refusal !== undefined) return refusal
    // eslint-disable-next-line no-control-regex
    const payload = /auth=Bearer [^.\x01]*\.([^.\x01]*)\./.exec(token.toString('latin1'))?.[1] ?? ''
    const { sub, exp } = readJson(Buffer.from(payload, 'base64url').toString())
    const user = typeof sub === 'string' ? sub : ''
    const lifetimeMs = typeof exp === 'number' ? exp * 1000 - Date.now() : 0
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
