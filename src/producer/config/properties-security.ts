import type { SecureContextOptions } from 'node:tls'
import { InvalidConfigError } from '../../errors.js'
import { checkTlsOptions } from '../../network/streams/tls-options.js'
import { shown } from '../../wording/shown.js'
import { withLineEnds } from './pem.js'
import { noted, type FileTls, type Reading, type Row, type Rows } from './property-reading.js'
import { badValue, shownName } from './property-values.js'

const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

const SASL_REMEDY = 'give { mechanism, username, password }, or what else your mechanism wants, as the option `sasl`'

/** What a file says where it was written with every default of Java's spelt out: nothing. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'ssl.protocol': 'TLSv1.3',
  'ssl.enabled.protocols': 'TLSv1.2,TLSv1.3',
  'ssl.keystore.type': 'JKS',
  'ssl.truststore.type': 'JKS',
  'ssl.endpoint.identification.algorithm': 'https',
  'ssl.keymanager.algorithm': 'SunX509',
  'ssl.trustmanager.algorithm': 'PKIX',
  'sasl.mechanism': 'GSSAPI',
}

/** Says who this client is; all other lines of `sasl.` say how that is done. */
const IDENTITY =
  /^sasl\.(mechanism|jaas\.config|kerberos\.service\.name|(login|client)\.callback\.handler\.class|login\.class|oauthbearer\.(token\.endpoint\.url|client\.credentials\..*|assertion\..*file|scope))$/

/** Those that mean something to Node. */
const TLS_ROWS: Rows = {
  'ssl.truststore.type': storeType,
  'ssl.keystore.type': storeType,
  'ssl.truststore.certificates': pem('ca'),
  'ssl.keystore.certificate.chain': pem('cert'),
  'ssl.keystore.key': pem('key'),
  'ssl.key.password': (value, { tls }, name) => {
    tls.passphrase = { text: value, from: name }
  },
  'ssl.truststore.location': pemFile('ssl.truststore.type', ['ca']),
  'ssl.keystore.location': pemFile('ssl.keystore.type', ['cert', 'key']),
  'ssl.truststore.password': storePassword('ssl.truststore.type', 'ssl.truststore.certificates'),
  'ssl.keystore.password': storePassword('ssl.keystore.type', 'ssl.keystore.key'),
  'ssl.endpoint.identification.algorithm': (value, { notes }, name) => {
    if (value.toLowerCase() !== 'https')
      throw new InvalidConfigError(
        `${name}: the broker’s name is always checked, unless \`checkServerIdentity\` of the option \`ssl\` says otherwise`,
      )
    notes.push(`${name}: the broker’s name is checked`)
  },
  'ssl.protocol': noted('Node takes TLS 1.2 and 1.3; `minVersion` and `maxVersion` of the option `ssl` say otherwise'),
  'ssl.enabled.protocols': noted(
    'Node takes TLS 1.2 and 1.3; `minVersion` and `maxVersion` of the option `ssl` say otherwise',
  ),
  'ssl.cipher.suites': noted('Node’s ciphers are taken; `ciphers` of the option `ssl` says otherwise'),
  'ssl.keymanager.algorithm': noted('there is no JVM'),
  'ssl.trustmanager.algorithm': noted('there is no JVM'),
  'ssl.secure.random.implementation': noted('there is no JVM'),
  'ssl.provider': noted('there is no JVM'),
  'ssl.engine.factory.class': (_value, _reading, name) => {
    throw new InvalidConfigError(`${name}: a Java class can’t run here; give what Node takes as the option \`ssl\``)
  },
}

/** `security.protocol` and all that begins with `ssl.` or `sasl.`. */
export function securityRow(name: string): Row | undefined {
  if (name === 'security.protocol') return protocolRow
  const row = Object.hasOwn(TLS_ROWS, name) ? TLS_ROWS[name] : undefined
  if (row !== undefined) return (value, reading) => tlsLine(name, value, reading, row)
  return name.startsWith('sasl.') ? saslLine : undefined
}

export const SECURITY_NAMES: readonly string[] = [
  'security.protocol',
  ...Object.keys(TLS_ROWS),
  'sasl.mechanism',
  'sasl.jaas.config',
]

function protocolOf({ properties }: Reading): string | undefined {
  return properties.get('security.protocol')?.toUpperCase()
}

function protocolRow(value: string, reading: Reading, name: string): void {
  const { given, notes } = reading
  const protocol = value.toUpperCase()
  if (!PROTOCOLS.includes(protocol)) throw badValue(name, value, 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL')
  if (protocol.endsWith('SSL') && given.ssl === false) {
    throw new InvalidConfigError(
      `${name}=${protocol}: the file asks for TLS, and the option \`ssl\` is false. Leave the option out, or take ${protocol === 'SSL' ? 'PLAINTEXT' : 'SASL_PLAINTEXT'} if none is wanted`,
    )
  }
  if (protocol.startsWith('SASL') && given.sasl === undefined)
    throw new InvalidConfigError(`${name}=${protocol}: ${SASL_REMEDY}`)
  if (!protocol.endsWith('SSL')) {
    const isOn = given.ssl !== undefined && given.ssl !== false
    notes.push(isOn ? `${name}=${protocol}: the option \`ssl\` goes before it` : `${name}=${protocol}: as it is here`)
  }
}

/** A file that says how TLS is done must not go without it unnoticed, as it does with Java. */
function tlsLine(name: string, value: string, reading: Reading, row: Row): void {
  const { given, notes } = reading
  const protocol = protocolOf(reading)
  const isOff = protocol?.endsWith('SSL') !== true
  if (given.ssl !== undefined && given.ssl !== false) notes.push(`${name}: the option \`ssl\` stands in for it`)
  else if (value === '' && (isOff || name !== 'ssl.endpoint.identification.algorithm'))
    notes.push(`${name}: it is empty`)
  else if (!isOff) row(value, reading, name)
  else if (protocol !== undefined) notes.push(`${name}: without effect, since security.protocol is ${protocol}`)
  else if (given.ssl === false) notes.push(`${name}: without effect, since the option \`ssl\` is false`)
  else if (isDefault(name, value)) notes.push(`${name}: as it is by default`)
  else {
    throw new InvalidConfigError(
      `${name}: the file says how TLS is done, and not that it is: add security.protocol=SSL or SASL_SSL, or PLAINTEXT where none is wanted; or give the option \`ssl\``,
    )
  }
}

function saslLine(value: string, reading: Reading, name: string): void {
  const { given, notes } = reading
  const protocol = protocolOf(reading)
  if (given.sasl !== undefined) {
    if (name === 'sasl.mechanism') checkMechanism(value, given.sasl.mechanism)
    notes.push(`${name}: the option \`sasl\` stands in for it`)
  } else if (protocol !== undefined) {
    // SASL without the option is refused by the line of the protocol.
    notes.push(`${name}: without effect, since security.protocol is ${protocol}`)
  } else if (value === '' || isDefault(name, value) || !IDENTITY.test(name)) {
    notes.push(`${name}: without effect, since nobody says who this client is`)
  } else throw new InvalidConfigError(`${name}: only a JVM reads it; ${SASL_REMEDY}`)
}

/** Those of others, such as AWS_MSK_IAM, are spoken by a token or an authenticator of the program's. */
function checkMechanism(inFile: string, inOption: unknown): void {
  const wanted = inFile.toUpperCase()
  const isKnown = /^(PLAIN|SCRAM-SHA-(256|512)|OAUTHBEARER)$/.test(wanted)
  if (!isKnown || typeof inOption !== 'string' || inOption.toUpperCase() === wanted) return
  throw new InvalidConfigError(`sasl.mechanism: the file has '${wanted}', the option \`sasl\` has ${shown(inOption)}`)
}

function isDefault(name: string, value: string): boolean {
  return Object.hasOwn(DEFAULTS, name) && DEFAULTS[name]?.toLowerCase() === value.toLowerCase()
}

// What lines of TLS do, where the file decides about it. They tell names, never values.

function pem(field: keyof FileTls): Row {
  return (value, { tls }, name) => {
    tls[field] = { text: withLineEnds(value), from: name }
  }
}

function isPem({ properties }: Reading, typeName: string): boolean {
  return properties.get(typeName)?.toUpperCase() === 'PEM'
}

function pemFile(typeName: string, fields: readonly (keyof FileTls)[]): Row {
  return (value, reading, name) => {
    if (!isPem(reading, typeName)) throw javaStore(name)
    let text: string
    try {
      text = process.getBuiltinModule('node:fs').readFileSync(value, 'utf8')
    } catch (cause) {
      // Its message has the name, which may be a key that was put here.
      const { code } = cause as NodeJS.ErrnoException
      throw new InvalidConfigError(`${name}: can't read the file ${shownName(value)} (${code})`)
    }
    for (const field of fields) reading.tls[field] = { text: withLineEnds(text), from: name }
  }
}

function storeType(value: string, { notes }: Reading, name: string): void {
  notes.push(
    value.toUpperCase() === 'PEM'
      ? `${name}=PEM: as it is here`
      : `${name}: where a store of another type is named, it is refused`,
  )
}

function storePassword(typeName: string, inline: string): Row {
  return (_value, reading, name) => {
    if (!isPem(reading, typeName) && !reading.properties.has(inline)) throw javaStore(name)
    throw new InvalidConfigError(
      `${name}: a store in PEM has no password, as Java says too; that of the key is ssl.key.password`,
    )
  }
}

function javaStore(name: string): InvalidConfigError {
  return new InvalidConfigError(
    `${name}: a Java key store can't be read here; give certificates and keys in PEM, or PKCS12 as \`pfx\`, as the option \`ssl\`: { ca, cert, key }`,
  )
}

/** The option `ssl` that the file comes to. */
export function readTls(reading: Reading): void {
  const { options, tls } = reading
  if (protocolOf(reading)?.endsWith('SSL') !== true) return
  const fields: SecureContextOptions & { allowPartialTrustChain?: boolean } = {}
  for (const field of ['ca', 'cert', 'key', 'passphrase'] as const) {
    const text = tls[field]?.text
    if (text !== undefined) fields[field] = text
  }
  // As Java: whoever is in the trust store is trusted, be it no root.
  if (fields.ca !== undefined) fields.allowPartialTrustChain = true
  try {
    checkTlsOptions(fields, 'ssl')
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error
    const { message } = error
    throw new InvalidConfigError(
      message.replace(/^ssl\.(\w+)/, (whole, field: string) => tls[field as keyof FileTls]?.from ?? whole),
    )
  }
  options.ssl = Object.keys(fields).length > 0 ? fields : true
}
