import { InvalidConfigError, type AuthenticationError } from '../../errors.js'
import { given } from '../../given.js'
import { nearestName } from '../../wording/nearest-name.js'
import { shown } from '../../wording/shown.js'
import { Secret } from '../secret.js'
import type { SaslMechanism } from './mechanism.js'
import { exchangeOf, oauthBearerMechanism, type OAuthToken, type TokenSource } from './oauthbearer.js'
import { ownMechanism, type SaslAuthenticator } from './own-authenticator.js'
import { plainExchange, plainMechanism, type Password } from './plain.js'
import { scramMechanism } from './scram.js'

/** As it is written here, or by Kafka. */
type AnyCase<Name extends string> = Name | Uppercase<Name>

/** With a name and a password, each of them a string or a function that is asked at each connection. */
export interface PasswordSaslOptions extends Password {
  readonly mechanism: AnyCase<'plain' | 'scram-sha-256' | 'scram-sha-512'>
  readonly token?: undefined
  readonly authenticator?: undefined
}

/** With a token, or a function that is asked for one at each connection. */
export interface TokenSaslOptions extends TokenSource {
  readonly mechanism: AnyCase<'oauthbearer'>
  readonly username?: undefined
  readonly password?: undefined
  readonly authenticator?: undefined
}

/** With an object of your own that makes the tokens, for GSSAPI or any other mechanism. */
export interface OwnSaslOptions {
  /** As the broker names it, in any case. */
  readonly mechanism: string
  readonly authenticator: SaslAuthenticator
  readonly username?: undefined
  readonly password?: undefined
  readonly token?: undefined
}

export type SaslOptions = PasswordSaslOptions | TokenSaslOptions | OwnSaslOptions

type Field = 'username' | 'password' | 'token'

interface Row {
  readonly fields: readonly Field[]
  readonly make: (given: Secret<never>) => SaslMechanism
  /**
   * Whether what is given as it is, and not as a function, can be sent.
   *
   * @throws AuthenticationError
   */
  readonly check?: (given: Readonly<Partial<Record<Field, unknown>>>) => void
}

/** A mechanism is one file and one row. */
const MECHANISMS: Readonly<Record<string, Row>> = {
  plain: {
    fields: ['username', 'password'],
    make: plainMechanism,
    check: ({ username, password }) => plainExchange(fixed(username), fixed(password)),
  },
  'scram-sha-256': { fields: ['username', 'password'], make: (given) => scramMechanism('sha256', given) },
  'scram-sha-512': { fields: ['username', 'password'], make: (given) => scramMechanism('sha512', given) },
  oauthbearer: {
    fields: ['token'],
    make: oauthBearerMechanism,
    check: ({ token }) => void (typeof token === 'function' || exchangeOf(token as string | OAuthToken)),
  },
}

/** Mechanisms that need an authenticator, and may be named. */
const OTHER_MECHANISMS = /^(gssapi|gs2-krb5|kerberos|aws_msk_iam|(digest|cram)-md5|ntlm|login|external|anonymous)$/

/**
 * What the option says, ready for use. Errors name fields and never tell what they hold.
 *
 * @throws InvalidConfigError
 */
export function makeMechanism(option: unknown, name = 'sasl'): SaslMechanism {
  const isObject = typeof option === 'object' && option !== null
  const { mechanism, authenticator, ...others } = (isObject ? given(option) : {}) as Record<string, unknown>
  if (typeof mechanism !== 'string' || !/^[A-Za-z0-9_-]{1,20}$/.test(mechanism)) {
    throw new InvalidConfigError(
      `${name}: allowed is an object whose \`mechanism\` is one of ${quoted(Object.keys(MECHANISMS))}, or another's name beside an \`authenticator\``,
    )
  }
  if (authenticator !== undefined) {
    refuseOthers(name, others, ['authenticator'])
    const { begin } = Object(authenticator) as Partial<SaslAuthenticator>
    if (typeof begin !== 'function')
      throw new InvalidConfigError(`${name}.authenticator: allowed is an object with a method begin()`)
    return ownMechanism(mechanism.toUpperCase(), new Secret(authenticator as SaslAuthenticator))
  }
  const key = mechanism.toLowerCase()
  const row = Object.hasOwn(MECHANISMS, key) ? MECHANISMS[key] : undefined
  if (row === undefined) {
    throw new InvalidConfigError(
      `${name}: the mechanism ${isKnownName(key) ? `'${mechanism}'` : 'that was given'} needs an \`authenticator\`; without one there are ${quoted(Object.keys(MECHANISMS))}`,
    )
  }
  refuseOthers(name, others, row.fields)
  for (const field of row.fields) checkField(`${name}.${field}`, field, others[field])
  try {
    row.check?.(others)
  } catch (cause) {
    throw new InvalidConfigError(`${name}: ${(cause as AuthenticationError).message}`)
  }
  return row.make(new Secret({ ...others }) as Secret<never>)
}

/** Anything else may be a password that was put in the wrong place. */
function isKnownName(key: string): boolean {
  return OTHER_MECHANISMS.test(key) || nearestName(key, Object.keys(MECHANISMS)) !== undefined
}

function checkField(name: string, field: Field, value: unknown): void {
  if (typeof value === 'function' || (typeof value === 'string' && value !== '')) return
  const { token } = Object(value) as { token?: unknown }
  if (field === 'token' && typeof token === 'string' && token !== '') return
  throw new InvalidConfigError(
    `${name}: allowed is a string that is not empty, or a function that gives one${value === undefined ? '; it is missing' : ''}`,
  )
}

/** What comes of a function is looked at when it is asked. */
function fixed(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function refuseOthers(name: string, given: object, allowed: readonly string[]): void {
  const other = Object.keys(given).find((field) => !allowed.includes(field))
  if (other !== undefined)
    throw new InvalidConfigError(
      `${name}: there is no field ${shown(other)} with this mechanism; it has ${quoted(allowed)}`,
    )
}

function quoted(names: readonly string[]): string {
  return names.map((one) => `'${one}'`).join(', ')
}
