import type { SecureContextOptions } from 'node:tls'
import { InvalidConfigError } from '../../errors.js'
import { given } from '../../given.js'
import { nearestName } from '../../wording/nearest-name.js'
import { shown } from '../../wording/shown.js'
import { thrownMessage } from '../../wording/thrown-message.js'
import type { SslOptions } from './tls.js'

/** What each connection has its own of. */
const TAKEN = ['host', 'port', 'path', 'socket', 'session']

/** What Node reads of `tls.connect()`, of a secure context and of a socket. */
const NAMES: ReadonlySet<string> = new Set([
  ...['ALPNProtocols', 'allowHalfOpen', 'allowPartialTrustChain', 'autoSelectFamily', 'autoSelectFamilyAttemptTimeout'],
  ...['ca', 'cert', 'certificateCompression', 'checkServerIdentity', 'ciphers', 'clientCertEngine', 'crl', 'dhparam'],
  ...['ecdhCurve', 'enableTrace'],
  ...[
    'family',
    'highWaterMark',
    'hints',
    'honorCipherOrder',
    'keepAlive',
    'keepAliveInitialDelay',
    'key',
    'localAddress',
  ],
  ...['localPort', 'lookup', 'maxVersion', 'minDHSize', 'minVersion', 'noDelay', 'onread', 'passphrase', 'pfx'],
  ...['privateKeyEngine', 'privateKeyIdentifier', 'pskCallback', 'rejectUnauthorized', 'requestCert', 'requestOCSP'],
  ...[
    'secureContext',
    'secureOptions',
    'secureProtocol',
    'servername',
    'sessionIdContext',
    'sessionTimeout',
    'sigalgs',
  ],
  ...['ticketKeys', 'timeout'],
])

/** Of these Node tells a wrong one at each handshake, as a bug of its own, or takes any text to be true. */
const TYPES: readonly (readonly [field: keyof SslOptions, type: 'boolean' | 'function' | 'string', allowed: string])[] =
  [
    ['rejectUnauthorized', 'boolean', 'true or false'],
    ['checkServerIdentity', 'function', 'a function'],
    ['pskCallback', 'function', 'a function'],
    ['servername', 'string', 'a name'],
  ]

/** From the oldest on. */
const VERSIONS: readonly (string | undefined)[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

const LABEL = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/g
/** As OpenSSL finds them. */
const CERTIFICATE = /^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[ \t\r]*\n[^-]*\n-----END/gm

/** What other clients call them, by how such names look. */
const LIKELY: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/^(ca|root|trust)/i, '`ca` is the content of the file'],
  [/^(cert|chain)/i, '`cert` is the content of the file'],
  [/pass(word|phrase)/i, 'it is `passphrase`'],
  [/key/i, '`key` is the content of the file'],
  [/p12|pkcs|pfx/i, '`pfx` is the content of the file'],
  [/authori[sz]ed|verify|insecure/i, 'it is `rejectUnauthorized`'],
  [/server.?name|sni/i, 'it is `servername`'],
]

/**
 * The options of TLS connections as they are used: without fields that are undefined, so that none of them takes the
 * place of a default. Errors name fields; they never tell what these hold.
 *
 * @throws InvalidConfigError for what Node would ignore in silence, or refuse without saying which field it is about
 */
export function checkTlsOptions(value: object, name: string): SslOptions {
  const options: SslOptions = given(value)
  const taken = TAKEN.find((field) => Object.hasOwn(options, field))
  if (taken !== undefined)
    throw new InvalidConfigError(`${name}: there must be no '${taken}', which each connection has its own of`)
  const unknown = Object.keys(options).find((field) => !NAMES.has(field))
  if (unknown !== undefined)
    throw new InvalidConfigError(`${name}: Node has no field ${shown(unknown)}${adviceFor(unknown)}`)
  for (const [field, type, allowed] of TYPES)
    if (options[field] !== undefined && typeof options[field] !== type)
      throw new InvalidConfigError(`${name}.${field}: given was ${shown(options[field])}, allowed is ${allowed}`)
  if (options.ca !== undefined) {
    const authorities = listOf<unknown>(options.ca)
    if (authorities.length === 0)
      throw new InvalidConfigError(`${name}.ca: given was an empty list, which trusts nobody`)
    for (const ca of authorities) checkAuthority(ca, `${name}.ca`)
  }
  for (const cert of listOf<unknown>(options.cert)) checkWholeness(textOf(cert) ?? '', `${name}.cert`)
  checkSecureContext(options, name)
  checkVersions(options, name)
  return options
}

/**
 * Certificates and keys, of a client or a server.
 *
 * @throws InvalidConfigError for what OpenSSL does not take; it names the field, and tells nothing of what that holds
 */
export function checkSecureContext(options: SecureContextOptions, name: string): void {
  try {
    process.getBuiltinModule('node:tls').createSecureContext(options)
  } catch (cause) {
    throw blame(options, cause, name)
  }
}

/** Where there is none between the two, each handshake would fail, as if it might go better the next time. */
function checkVersions({ minVersion, maxVersion, secureProtocol }: SslOptions, name: string): void {
  if (secureProtocol !== undefined) return
  const { DEFAULT_MIN_VERSION, DEFAULT_MAX_VERSION } = process.getBuiltinModule('node:tls')
  const [min, max] = [minVersion ?? DEFAULT_MIN_VERSION, maxVersion ?? DEFAULT_MAX_VERSION]
  const highest = VERSIONS.indexOf(max)
  if (highest === -1 || VERSIONS.indexOf(min) <= highest) return
  throw new InvalidConfigError(
    `${name}.maxVersion: ${max} is below minVersion, which is ${min}: there is no version to speak`,
  )
}

function adviceFor(field: string): string {
  const likely = LIKELY.find(([pattern]) => pattern.test(field))?.[1]
  const near = nearestName(field, [...NAMES])
  if (near !== undefined) return `: did you mean '${near}'?`
  return likely === undefined ? '' : `: ${likely}`
}

/** Node takes what holds no certificate for an empty list of authorities, and then trusts nobody. */
function checkAuthority(ca: unknown, name: string): void {
  const text = textOf(ca)
  if (text === undefined)
    throw new InvalidConfigError(`${name}: allowed is PEM, as a string or as bytes; given was ${shown(ca)}`)
  const blocks = text.match(CERTIFICATE)
  if (blocks === null) throw new InvalidConfigError(`${name}: it holds no PEM certificate${whyNoPem(text, ca)}`)
  checkWholeness(text, name)
  const { X509Certificate } = process.getBuiltinModule('node:crypto')
  for (const [index, block] of blocks.entries()) {
    const type = block.slice('-----BEGIN '.length, block.indexOf('-----', 5))
    try {
      new X509Certificate(`${block} ${type}-----\n`)
    } catch {
      throw new InvalidConfigError(`${name}: its certificate ${index + 1} of ${blocks.length} can't be read`)
    }
  }
}

/** OpenSSL takes those whose lines it finds, and passes over the others in silence: nobody is trusted by them. */
function checkWholeness(text: string, name: string): void {
  const all = text.match(LABEL)?.length ?? 0
  const found = text.match(CERTIFICATE)?.length ?? 0
  if (found > 0 && found < all)
    throw new InvalidConfigError(
      `${name}: only ${found} of its ${all} certificates can be found: BEGIN and END of each must be lines of their own, from the first column on`,
    )
}

/** Node says what is wrong, and not with which field; and may quote what that holds. */
function blame(options: SecureContextOptions, failure: unknown, name: string): InvalidConfigError {
  for (const field of Object.keys(options) as (keyof SecureContextOptions)[]) {
    // A key is read with its passphrase, a certificate before the key that must fit it.
    const { passphrase } = options
    const alone = { [field]: options[field], ...(passphrase === undefined ? {} : { passphrase }) }
    try {
      process.getBuiltinModule('node:tls').createSecureContext(alone)
    } catch (cause) {
      return new InvalidConfigError(`${name}.${field}: ${reasonFor(field, options, cause)}`)
    }
  }
  return new InvalidConfigError(
    /key values mismatch/.test(messageOf(failure))
      ? `${name}.key: it is not the key of the certificate in \`cert\``
      : `${name}: these options can't be used together${opensslReason(failure)}`,
  )
}

function reasonFor(field: string, options: SecureContextOptions, cause: unknown): string {
  const first: unknown = listOf<unknown>(options[field as keyof SecureContextOptions])[0]
  const content =
    field === 'pfx'
      ? ((first as { buf?: unknown } | null)?.buf ?? first)
      : ((first as { pem?: unknown } | null)?.pem ?? first)
  const text = textOf(content)
  const message = messageOf(cause)
  const isUndecrypted = /bad decrypt|mac verify failure|bad password read/.test(message)
  // One wrong passphrase in some hundred decrypts to what looks right, and then is no key.
  const isEncryptedPem =
    field === 'key' && text !== undefined && /^(-----BEGIN ENCRYPTED |Proc-Type:.*ENCRYPTED)/m.test(text)
  if (isEncryptedPem || ((field === 'key' || field === 'pfx') && isUndecrypted)) {
    return options.passphrase === undefined
      ? 'it is encrypted: give its `passphrase`'
      : 'the `passphrase` is not the one it is encrypted with'
  }
  if (field === 'pfx') return `it can't be read as PKCS12${whyNoPkcs12(content, text, message)}`
  if (field === 'cert' || field === 'key') {
    const what = field === 'cert' ? 'certificate' : 'private key'
    const label =
      field === 'cert'
        ? /^-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[ \t]*\r?\n/m
        : /^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[ \t]*\r?\n/m
    if (text === undefined) return `allowed is PEM, as a string or as bytes; given was ${shown(content)}`
    if (!label.test(text)) return `it holds no PEM ${what}${whyNoPem(text, content)}`
    return `its ${what} can't be read${opensslReason(cause)}`
  }
  return `it can't be used${opensslReason(cause)}`
}

function whyNoPem(text: string, content: unknown): string {
  if (text.trim() === '') return ': it is empty'
  if (/-----BEGIN [A-Z0-9 ]+-----/.test(text)) {
    if (/-----\\[rn]/.test(text)) return ': it has the two characters \\n where its lines must end'
    if (/-----BEGIN [A-Z0-9 ]+-----(?:[ \t]*[A-Za-z0-9+/]|\r(?!\r*\n))/.test(text)) return ': its line ends are lost'
    return /[^\n]-----BEGIN /.test(text) ? ': its lines must begin in the first column' : ', but something else in PEM'
  }
  if (isBytes(content) && content[0] === 0x30) return ': it is in DER, give it in PEM'
  if (isPath(text)) return ': give the content of the file, not its path'
  return ''
}

function whyNoPkcs12(content: unknown, text: string | undefined, message: string): string {
  if (text !== undefined && isPath(text)) return ': give the content of the file as bytes, not its path'
  if (text !== undefined && text.includes('-----BEGIN ')) return ': it is in PEM, give it as `cert` and `key`'
  if (isBytes(content) && Buffer.from(content.subarray(0, 4)).toString('hex') === 'feedfeed')
    return ': it is a key store in Java’s own format, `keytool -importkeystore -deststoretype PKCS12` makes PKCS12 of it'
  if (/unsupported/i.test(message))
    return ': its encryption is too old for this OpenSSL (RC2 of Java 8), a newer keytool makes it anew'
  return typeof content === 'string' ? ': give its bytes as a Buffer' : ''
}

/** OpenSSL's words name no content; Node's own may. */
function opensslReason(cause: unknown): string {
  const reason = /^error:[0-9A-F]{8}:([\w ()-]+:[\w ()-]*:[\w ()-]+)$/.exec(messageOf(cause))?.[1]
  return reason === undefined ? '' : ` (${reason.replace('::', ': ')})`
}

function messageOf(error: unknown): string {
  return thrownMessage(error) ?? ''
}

function isPath(text: string): boolean {
  return text.length < 4_096 && !/[\n\r]/.test(text) && /[/\\]|\.\w{1,5}$/.test(text)
}

function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value)
}

function contentOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
    : undefined
}

/** The content of a field as OpenSSL reads it: the mark of UTF-8 that editors put first is none of it. */
function textOf(value: unknown): string | undefined {
  return contentOf(value)?.replace(/^(?:\ufeff|\u00ef\u00bb\u00bf)/, '')
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}
