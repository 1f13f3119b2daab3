import { systemClock } from '../../clock.js'
import { AuthenticationError, InvalidConfigError } from '../../errors.js'
import { given, givenOptions, readable } from '../../given.js'
import { isRecord } from '../../is-record.js'
import { foreignText } from '../../wording/foreign-text.js'
import { kindOf } from '../../wording/kind-of.js'
import { shown } from '../../wording/shown.js'
import { thrownCause, thrownMessage } from '../../wording/thrown-message.js'
import { Secret } from '../secret.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'
import { checkTlsOptions } from '../streams/tls-options.js'
import type { SslOptions } from '../streams/tls.js'
import { askUser, NothingCame } from '../user-code.js'
import { within } from '../within.js'
import { postForm, type FormAnswer } from './post-form.js'

/**
 * How the client says who it is: `'basic'`, form-encoded in the Authorization header, as RFC 6749 has it; `'basic-raw'`,
 * in the same header as it is, which some providers want, and which is what Kafka's Java client does by default (KIP-1025);
 * `'post'`, as `client_id` and `client_secret` in the body.
 */
export type OidcClientAuthentication = 'basic' | 'basic-raw' | 'post'

/** A client that is registered with an OpenID provider, for the grant `client_credentials`. */
export interface OidcOptions {
  /** `https:`, or `http:` on this machine; without credentials in it. */
  readonly tokenEndpoint: string
  readonly clientId: string
  /** A string, or a function that is asked at each fetch. */
  readonly clientSecret: string | (() => string | Promise<string>)
  readonly scope?: string | undefined
  /** Further fields of the request, such as `audience`. */
  readonly parameters?: Readonly<Record<string, string | undefined>> | undefined
  /** How id and secret are sent. Default: `'basic'`. */
  readonly clientAuthentication?: OidcClientAuthentication | undefined
  /** Certificates of the authorities to trust for the endpoint, in PEM. Default: those that Node trusts. */
  readonly ca?: SslOptions['ca'] | undefined
  /** How long a fetch may take, with all that belongs to it, such as `clientSecret()`; in milliseconds. Default: 8,000. */
  readonly timeoutMs?: number | undefined
}

/** Less than connections have by default, so that what went wrong is told instead of that it took too long. */
const TIMEOUT_MS = 8_000
const MAX_TIMEOUT_MS = 600_000
/** Part of a token's lifetime after which another is fetched. */
const RENEW_AT = 0.8
/** Where that fails, since the provider is away: how long the token is used all the same, with time left for a broker to look at it. */
const USED_UNTIL = 0.95
/** How long a fetch is waited for where that token is at hand: connections wait for it, some of them not as long as a fetch may take. */
const PATIENCE_MS = 1_000
/** One that a broker refuses is replaced once it is as old: a younger one is refused for what another would be, too. */
const REFUSED_FROM_MS = 10_000
/** What a provider says is believed for a day at most. */
const MAX_LIFETIME_MS = 86_400_000
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])
const FIELDS = new Set<string>([
  ...['tokenEndpoint', 'clientId', 'clientSecret', 'scope', 'parameters'],
  ...['clientAuthentication', 'ca', 'timeoutMs'],
])
const CLIENT_AUTHENTICATIONS: readonly unknown[] = ['basic', 'basic-raw', 'post'] satisfies OidcClientAuthentication[]

interface KeptToken {
  readonly token: Secret<string>
  readonly askedAt: { readonly now: number; readonly timestamp: number }
  readonly lifetimeMs: number
}

/** By both clocks: one stands still while the machine sleeps and the token runs out, and the other may be set back. */
function ageOf({ askedAt }: KeptToken): number {
  return Math.max(systemClock.now() - askedAt.now, systemClock.timestamp() - askedAt.timestamp)
}

/** Whether less than this part of its lifetime is over. */
function isYounger(kept: KeptToken, part: number): boolean {
  return ageOf(kept) < kept.lifetimeMs * part
}

/** Of the functions made here, what tells them that a broker has refused a token. */
const refusals = new WeakMap<object, (token: string, broker: BrokerAddress) => boolean>()

/**
 * A broker has refused a token that this function gave: it may be good no longer, as where the provider signs by another key.
 *
 * @returns whether the function may give another one
 */
export function noteRefused(source: object, token: string, broker: BrokerAddress): boolean {
  return refusals.get(source)?.(token, broker) ?? false
}

interface Provider extends OidcOptions {
  readonly url: URL
  readonly clientAuthentication: OidcClientAuthentication
  readonly timeoutMs: number
}

/**
 * A function for `sasl: { mechanism: 'oauthbearer', token }` that fetches tokens, keeps each until shortly before it
 * ends, or until a broker refuses it, and asks once where many connections want one.
 *
 * @throws InvalidConfigError
 */
export function oidcToken(options: OidcOptions): () => Promise<string> {
  const provider = new Secret(checked(options))
  let kept: KeptToken | undefined
  let fetching: Promise<string> | undefined
  /** Which brokers have refused the one that is kept: another is fetched, and until that is there they get none. */
  const refusedBy = new Set<string>()
  const give = async (broker?: BrokerAddress) => {
    if (kept !== undefined && refusedBy.size === 0 && isYounger(kept, RENEW_AT)) return kept.token.reveal()
    const askedAt = { now: systemClock.now(), timestamp: systemClock.timestamp() }
    fetching ??= fetchToken(provider.reveal())
      .then(({ token, lifetimeMs }) => {
        kept = { token: new Secret(token), askedAt, lifetimeMs }
        refusedBy.clear()
        return token
      })
      .finally(() => {
        fetching = undefined
      })
    const old = kept
    const isRefused = broker !== undefined && refusedBy.has(formatAddress(broker))
    if (old === undefined || isRefused || !isYounger(old, USED_UNTIL)) return fetching
    try {
      return (await within(systemClock, PATIENCE_MS, fetching)) ?? old.token.reveal()
    } catch (error) {
      const passes = error instanceof AuthenticationError && error.retriable
      if (passes && isYounger(old, USED_UNTIL)) return old.token.reveal()
      throw error
    }
  }
  refusals.set(give, (token, broker) => {
    if (kept === undefined) return false
    // Another is there by now.
    if (kept.token.reveal() !== token) return true
    if (ageOf(kept) < REFUSED_FROM_MS) return false
    refusedBy.add(formatAddress(broker))
    return true
  })
  return give
}

/** Errors name fields, and of the endpoint its origin at most: a URL may hold secrets in all its other parts. */
function checked(all: OidcOptions): Provider {
  if (
    !readable(
      () => isRecord(all),
      () => 'oidcToken: what was given',
    )
  )
    throw new InvalidConfigError(
      `oidcToken: given was ${kindOf(all)}, allowed is an object with tokenEndpoint, clientId and clientSecret`,
    )
  const options = givenOptions(all)
  const { tokenEndpoint, clientId, clientSecret, scope, parameters = {}, ca } = options
  const { clientAuthentication = 'basic', timeoutMs = TIMEOUT_MS } = options
  const refuse = (name: keyof OidcOptions, allowed: string): never => {
    throw new InvalidConfigError(`oidcToken: ${name}: allowed is ${allowed}`)
  }
  const unknown = Object.keys(options).find((name) => !FIELDS.has(name))
  if (unknown !== undefined)
    throw new InvalidConfigError(`oidcToken: there is no field ${shown(unknown)}; it has ${[...FIELDS].join(', ')}`)
  const url = readable(
    () => (URL.canParse(tokenEndpoint) ? new URL(tokenEndpoint) : undefined),
    () => 'oidcToken: tokenEndpoint',
  )
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))))
    return refuse('tokenEndpoint', 'an https: URL; the client’s secret would be seen by others')
  if (url.username !== '' || url.password !== '')
    return refuse(
      'tokenEndpoint',
      `a URL without credentials, which are clientId and clientSecret; given was one of ${url.origin} with some`,
    )
  if (typeof clientId !== 'string' || clientId === '') return refuse('clientId', 'a string that is not empty')
  if (typeof clientSecret !== 'function' && (typeof clientSecret !== 'string' || clientSecret === ''))
    return refuse('clientSecret', 'a string that is not empty, or a function that gives one')
  if (scope !== undefined && typeof scope !== 'string') return refuse('scope', 'a string')
  if (!isObjectOfStrings(parameters)) return refuse('parameters', 'an object of strings')
  if (!CLIENT_AUTHENTICATIONS.includes(clientAuthentication))
    return refuse(
      'clientAuthentication',
      `one of ${CLIENT_AUTHENTICATIONS.map((one) => `'${String(one)}'`).join(', ')}`,
    )
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > MAX_TIMEOUT_MS)
    return refuse('timeoutMs', `a whole number from 1 to ${MAX_TIMEOUT_MS}`)
  if (ca !== undefined) checkTlsOptions({ ca }, 'oidcToken')
  return { ...options, url, parameters: given(parameters), clientAuthentication, timeoutMs }
}

/** What a Map or URLSearchParams holds are no properties of it, and would be left out of the request. */
function isObjectOfStrings(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(given(value)).every((one) => typeof one === 'string')
}

async function fetchToken(provider: Provider): Promise<{ token: string; lifetimeMs: number }> {
  const { url, timeoutMs } = provider
  const controller = new AbortController()
  let answer: FormAnswer
  try {
    answer = await askUser(systemClock, () => ask(provider, controller.signal), timeoutMs)
  } catch (cause) {
    controller.abort(cause)
    throw new AuthenticationError(`${url.origin} gave no token: ${reasonOf(cause)}`, {
      ...thrownCause(cause),
      retriable: true,
    })
  }
  const json = readJson(answer.text)
  const { access_token: token, expires_in: expiresIn, error } = json ?? {}
  const { status } = answer
  if (status === 200 && (typeof token !== 'string' || token === '')) {
    const what = json === undefined ? 'what is no JSON: is this its token endpoint?' : 'JSON without an `access_token`'
    throw new AuthenticationError(`${url.origin} gave no token, but ${what}`)
  }
  if (status !== 200 || typeof token !== 'string') {
    const isRedirect = status >= 300 && status < 400
    const told = typeof error === 'string' && /^[a-z_]{1,60}$/.test(error) ? `: ${error}` : ''
    const hint = isRedirect ? '; redirects are not followed: give the endpoint itself' : ''
    // What the endpoint finds wrong with the client does not change by itself; that it is busy, or elsewhere, does.
    const retriable = status >= 500 || isRedirect || status === 429 || status === 408
    throw new AuthenticationError(`${url.origin} gave no token, but status ${status}${told}${hint}`, { retriable })
  }
  // Some providers write the number as a text.
  const seconds = typeof expiresIn === 'number' || typeof expiresIn === 'string' ? Number(expiresIn) : 0
  return { token, lifetimeMs: seconds > 0 ? Math.min(seconds * 1_000, MAX_LIFETIME_MS) : 0 }
}

async function ask(provider: Provider, signal: AbortSignal): Promise<FormAnswer> {
  const { url, clientId, clientSecret, clientAuthentication, scope, parameters, ca } = provider
  const secret: unknown = typeof clientSecret === 'function' ? await clientSecret() : clientSecret
  signal.throwIfAborted()
  if (typeof secret !== 'string' || secret === '') throw new TypeError('clientSecret() gave no string, or an empty one')
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope === undefined ? {} : { scope }),
    ...parameters,
    ...(clientAuthentication === 'post' ? { client_id: clientId, client_secret: secret } : {}),
  })
  const headers = {
    accept: 'application/json',
    ...(clientAuthentication === 'post' ? {} : { authorization: basic(clientId, secret, clientAuthentication) }),
  }
  return postForm(url, form, { headers, ca, signal })
}

function basic(clientId: string, secret: string, how: 'basic' | 'basic-raw'): string {
  // RFC 6749, 2.3.1: both are form-encoded first.
  const encode = (text: string) => new URLSearchParams({ _: text }).toString().slice(2)
  const pair = how === 'basic' ? `${encode(clientId)}:${encode(secret)}` : `${clientId}:${secret}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** Why a provider was not reached; of a name with several addresses Node tells the failures apart from their error. */
function reasonOf(cause: unknown): string {
  if (cause instanceof NothingCame) return cause.message
  const { code, errors } = Object(cause) as { code?: unknown; errors?: unknown }
  const each = Array.isArray(errors) ? errors.map((one) => thrownMessage(one)) : []
  const message = [thrownMessage(cause), each.filter(Boolean).join(', '), code].find(Boolean)
  const text = typeof message === 'string' ? foreignText(message) : 'what was thrown is no Error'
  if (typeof code !== 'string') return text
  return /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(code)
    ? `its certificate is not trusted: give the certificate of the authority that signed it as \`ca\` (${code}: ${text})`
    : `${code}: ${text}`
}

function readJson(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return undefined
  }
}
