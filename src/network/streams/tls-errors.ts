import { TlsError } from '../../errors.js'
import { foreignText } from '../../wording/foreign-text.js'
import { thrownMessage } from '../../wording/thrown-message.js'

/** What Node or OpenSSL calls it → what it means, and what to do. */
const PROBLEMS: readonly (readonly [pattern: RegExp, text: string])[] = [
  [
    /^UNABLE_TO_GET_ISSUER_CERT$/,
    'its certificate is signed by one in `ssl: { ca }` that is no root: give the root there, or `allowPartialTrustChain: true` beside it',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'its certificate is for other names: connect by a name that it has, or give that name as `ssl: { servername }`',
  ],
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired: the broker needs a new one'],
  [/^CERT_NOT_YET_VALID$/, 'its certificate is not valid yet: compare the clocks of both machines'],
  [
    /^INVALID_PURPOSE$/,
    'its certificate is not for servers: the broker needs one with `serverAuth` among its extended key usages, or without any',
  ],
  [/^CERT_REVOKED$/, 'its certificate is revoked, by a list in `ssl: { crl }`: the broker needs a new one'],
  [
    /^UNABLE_TO_GET_CRL$/,
    'no list in `ssl: { crl }` is of the authority that signed its certificate, or one above that: give one of each',
  ],
  [/^CRL_HAS_EXPIRED$/, 'a list in `ssl: { crl }` has expired: give a newer one'],
  [/^CRL_NOT_YET_VALID$/, 'a list in `ssl: { crl }` is not valid yet: compare the clocks of both machines'],
  [/CRL_/, 'a list in `ssl: { crl }` can’t be used: is it signed by the authority in `ssl: { ca }`?'],
  // Node has no name for what else OpenSSL may have against one, such as a key that is too short for its security level.
  [
    /^UNSPECIFIED$/,
    'its certificate, or one that signed it, is refused for what is said here: the broker needs another one',
  ],
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_|CERT_|INVALID_CA|PATH_LENGTH_EXCEEDED)/,
    'its certificate is not trusted: give the certificate of the authority that signed it as `ssl: { ca }`',
  ],
  [
    /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/,
    'no version of TLS in common: see `minVersion` and `maxVersion` of `ssl`',
  ],
  [
    /ALERT_UNSUPPORTED_CERTIFICATE/,
    'the broker can’t use this client’s certificate: is it one for clients, with `clientAuth` among its extended key usages, or without any?',
  ],
  [
    /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_|NO_CERTIFICATE|ACCESS_DENIED)|CERTIFICATE_REQUIRED/,
    'the broker refuses this client’s certificate, or misses one: give one that it trusts as `ssl: { cert, key }`',
  ],
  // The second is what Kafka 0.10 comes to where it misses a certificate.
  [
    /ALERT_HANDSHAKE_FAILURE|UNEXPECTED_MESSAGE/,
    'the broker refuses the handshake: it wants a client’s certificate, as `ssl: { cert, key }`, or there is no cipher in common',
  ],
]

const NO_TLS_TEXT = 'it does not speak TLS on this port: take the port of its TLS listener, or leave `ssl` out'
/** What means so until the handshake is done. */
const NO_TLS =
  /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL|EPROTO|BAD_RECORD_TYPE|INVALID_HEADER|NOT_TLS/

/**
 * How far a connection had come: the handshake is done where the peer speaks TLS, whatever it says later. With TLS 1.3 it may
 * refuse a client's certificate then, but not any more once it has answered: what goes wrong then are the bytes on the way.
 */
export type TlsProgress = 'handshake' | 'open' | 'answered'

/**
 * The error for a failure of TLS itself; undefined for any other.
 *
 * @param hint what may be wrong where OpenSSL's words don't tell. Some Java brokers say that they miss a certificate with
 * bytes that can't be decrypted.
 */
export function tlsProblem(
  error: unknown,
  broker: string,
  progress: TlsProgress = 'handshake',
  hint?: string,
): TlsError | undefined {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code !== 'string') return undefined
  const said = `(${code}: ${foreignText(String(message).trim())})`
  const known = progress === 'answered' ? undefined : PROBLEMS.find(([pattern]) => pattern.test(code))?.[1]
  const found = known ?? (progress === 'handshake' && NO_TLS.test(code) ? NO_TLS_TEXT : undefined)
  if (found !== undefined) return new TlsError(`${broker}: ${found} ${said}`, { cause: asCause(error) })
  if (!/^ERR_(SSL|TLS|OSSL)_/.test(code)) return undefined
  return new TlsError(`${broker}: TLS failed${hint === undefined ? '' : `; ${hint}`} ${said}`, {
    cause: asCause(error),
    retriable: true,
  })
}

export function speaksNoTls(broker: string): TlsError {
  return new TlsError(`${broker}: ${NO_TLS_TEXT}`)
}

/** An error of Node's as the cause of another: without the certificate that it may show, nor what that has for a name. */
export function asCause(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  const plain = foreignText(String(message))
  if (thrownMessage(error) === undefined || (plain === message && !('cert' in (error as object)))) return error
  return Object.assign(new Error(plain), code === undefined ? {} : { code })
}
