import { AuthenticationError, InvalidConfigError } from '../../errors.js'
import { Secret } from '../secret.js'

/** A client that is registered with an OpenID provider, for the grant `client_credentials`. */
export interface OidcOptions {
  /** `https:`, or `http:` on this machine. */
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string | (() => string | Promise<string>)
  readonly scope?: string
  /** Further fields of the request, such as `audience`. */
  readonly parameters?: Readonly<Record<string, string>>
}

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 1024 * 1024
/** Part of a token's lifetime after which another is fetched. */
const RENEW_AT = 0.8
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * A function for `sasl: { mechanism: 'oauthbearer', token }` that fetches tokens, keeps each until shortly before it
 * ends, and asks once where many connections want one.
 *
 * @throws InvalidConfigError
 */
export function oidcToken(options: OidcOptions): () => Promise<string> {
  const { tokenEndpoint, clientId, clientSecret } = options
  const url = URL.canParse(tokenEndpoint) ? new URL(tokenEndpoint) : undefined
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)))) {
    throw new InvalidConfigError('tokenEndpoint: allowed is an https: URL; the client’s secret would be seen by others')
  }
  if (typeof clientId !== 'string' || clientId === '')
    throw new InvalidConfigError('clientId: allowed is a string that is not empty')
  if (typeof clientSecret !== 'function' && (typeof clientSecret !== 'string' || clientSecret === '')) {
    throw new InvalidConfigError('clientSecret: allowed is a string that is not empty, or a function that gives one')
  }
  const given = new Secret(options)
  let kept: { readonly token: Secret<string>; readonly renewAt: number } | undefined
  let fetching: Promise<string> | undefined
  return async () => {
    if (kept !== undefined && performance.now() < kept.renewAt) return kept.token.reveal()
    fetching ??= fetchToken(url, given.reveal())
      .then(({ token, lifetimeMs }) => {
        kept = { token: new Secret(token), renewAt: performance.now() + lifetimeMs * RENEW_AT }
        return token
      })
      .finally(() => {
        fetching = undefined
      })
    return fetching
  }
}

async function fetchToken(url: URL, options: OidcOptions): Promise<{ token: string; lifetimeMs: number }> {
  const { clientId, clientSecret, scope, parameters } = options
  const secret = typeof clientSecret === 'function' ? await clientSecret() : clientSecret
  // RFC 6749, 2.3.1: both are form-encoded first.
  const encoded = [clientId, secret].map((text) => new URLSearchParams({ _: text }).toString().slice(2)).join(':')
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope === undefined ? {} : { scope }),
    ...parameters,
  })
  let status: number
  let text: string
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(encoded).toString('base64')}`, accept: 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    status = response.status
    text = await readBounded(response)
  } catch (cause) {
    throw new AuthenticationError(`${url.origin} gave no token: ${(cause as Error).message}`, {
      cause,
      retriable: true,
    })
  }
  const { access_token: token, expires_in: seconds, error } = readJson(text)
  if (status !== 200 || typeof token !== 'string') {
    const told = typeof error === 'string' && /^[a-z_]{1,60}$/.test(error) ? `: ${error}` : ''
    // What the endpoint finds wrong with the client does not change by itself; that it is busy does.
    const retriable = status >= 500 || status === 429 || status === 408
    throw new AuthenticationError(`${url.origin} gave no token, but status ${status}${told}`, { retriable })
  }
  return { token, lifetimeMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 0 }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readJson(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}
