/*
 * OAUTHBEARER (RFC 7628, KIP-255): a token instead of a password. A broker that refuses it says why in JSON, and ends
 * the exchange only when the client has answered with a single byte 1.
 */
import { AuthenticationError } from '../../errors.js'
import { given } from '../../given.js'
import { foreignText } from '../../wording/foreign-text.js'
import type { Secret } from '../secret.js'
import type { Asked, SaslExchange, SaslMechanism } from './mechanism.js'
import { noteRefused } from './oidc-token.js'

/** A token with what some brokers want besides (KIP-342). Further properties, such as a signer's, are not looked at. */
export interface OAuthToken {
  readonly token: string
  readonly extensions?: Readonly<Record<string, string>> | undefined
}

export interface TokenSource {
  readonly token: Asked<string | OAuthToken>
}

export function oauthBearerMechanism(source: Secret<TokenSource>): SaslMechanism {
  return {
    name: 'OAUTHBEARER',
    remedy:
      'look at when the token ends, and at its signature, issuer and audience; a function as `token` is asked for a new one at each connection',
    async begin(broker) {
      const { token: asked } = source.reveal()
      if (typeof asked !== 'function') return exchangeOf(asked)
      const answer = await asked(broker)
      const tryOtherwise = () => typeof answer === 'string' && noteRefused(asked, answer, broker)
      return { ...exchangeOf(answer), tryOtherwise }
    },
  }
}

/** @throws AuthenticationError for a token that can't be sent, TypeError where there is none */
export function exchangeOf(answer: string | OAuthToken): SaslExchange {
  const parts = (typeof answer === 'string' ? { token: answer } : Object(answer)) as Partial<OAuthToken>
  const { token, extensions } = parts
  // As with a password: a function that has none now may have one the next time.
  if (typeof token !== 'string' || token === '') throw new TypeError('token must be a string that is not empty')
  return oauthBearerExchange(token, extensions)
}

/** @throws AuthenticationError */
export function oauthBearerExchange(token: string, extensions?: Readonly<Record<string, string>> | null): SaslExchange {
  if (!/^[-._~+/A-Za-z0-9]+=*$/.test(token)) {
    throw new AuthenticationError(
      'OAUTHBEARER: the token must be a string in the form of RFC 6750, or an object with such a token',
    )
  }
  let fields = `auth=Bearer ${token}\x01`
  for (const [name, value] of Object.entries<unknown>(given(extensions ?? {}))) {
    if (
      !/^[A-Za-z]+$/.test(name) ||
      name === 'auth' ||
      typeof value !== 'string' ||
      // Brokers do not understand a message that has an empty one.
      !/^[\x20-\x7e\r\n\t]+$/.test(value)
    ) {
      throw new AuthenticationError(
        `OAUTHBEARER: the extension '${foreignText(name)}' must have a name of letters and a value of printable ASCII that is not empty`,
      )
    }
    fields += `${name}=${value}\x01`
  }
  return {
    next(challenge) {
      if (challenge === undefined) return Buffer.from(`n,,\x01${fields}\x01`)
      return challenge.length === 0 ? undefined : Buffer.of(1)
    },
  }
}
