import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { InvalidConfigError } from '../../../../src/errors.js'
import { checkTlsOptions } from '../../../../src/network/streams/tls-options.js'
import { CertificateAuthority, type KeyPair } from '../../../embedded/support/certificates.js'

const SECRET = 'S3CRET'

let authority: CertificateAuthority
let client: KeyPair
let other: KeyPair
/** Made by openssl from the client's certificate and key. */
let files: Record<'encrypted' | 'encryptedOld' | 'pfx' | 'pfxOld' | 'der', Buffer>

beforeAll(() => {
  authority = new CertificateAuthority()
  client = authority.issue()
  other = authority.issue()
  const made = (name: string, ...args: string[]) => {
    authority.openssl(...args, '-out', name)
    return readFileSync(join(authority.dir, name))
  }
  const [cert, key, pass] = ['issued-1.pem', 'issued-1.key', `pass:${SECRET}`]
  const pkcs12 = ['pkcs12', '-export', '-in', cert, '-inkey', key, '-passout', pass]
  files = {
    encrypted: made('pkcs8.key', 'pkcs8', '-topk8', '-in', key, '-passout', pass),
    encryptedOld: made('old.key', 'ec', '-in', key, '-aes128', '-passout', pass),
    pfx: made('new.p12', ...pkcs12),
    pfxOld: made('old.p12', ...pkcs12, '-legacy'),
    der: made('cert.der', 'x509', '-in', cert, '-outform', 'DER'),
  }
})
afterAll(() => authority.remove())

function indented(text: string): string {
  return text.replace(/^/gm, '  ')
}

function refusal(options: object): InvalidConfigError {
  try {
    checkTlsOptions(options, 'ssl')
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect((error as Error).message).not.toContain(SECRET)
    return error as InvalidConfigError
  }
  throw new Error('the options were taken')
}

describe('TLS options that trust nobody, or not whom they seem to, are refused at once and by field', () => {
  it.each<[string, () => object, RegExp]>([
    [
      'a text for false',
      () => ({ rejectUnauthorized: 'false' }),
      /^ssl\.rejectUnauthorized: given was 'false', allowed is true or false$/,
    ],
    [
      'a check that is none',
      () => ({ checkServerIdentity: false }),
      /^ssl\.checkServerIdentity: .*allowed is a function/,
    ],
    ['keys that are no function', () => ({ pskCallback: SECRET + '=' }), /^ssl\.pskCallback: .*allowed is a function/],
    ['no name', () => ({ servername: null }), /^ssl\.servername: given was null, allowed is a name/],
    [
      'versions of which there is none',
      () => ({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }),
      /^ssl\.maxVersion: TLSv1\.2 is below minVersion, which is TLSv1\.3/,
    ],
    [
      'a version older than Node speaks',
      () => ({ maxVersion: 'TLSv1.1' }),
      /^ssl\.maxVersion: TLSv1\.1 is below minVersion, which is TLSv1\.2/,
    ],
    [
      'a path as authority',
      () => ({ ca: '/etc/ssl/ca.pem' }),
      /^ssl\.ca: it holds no PEM certificate: give the content/,
    ],
    ['a name of a file', () => ({ ca: 'ca.crt' }), /not its path/],
    ['an empty authority', () => ({ ca: '' }), /^ssl\.ca: .*it is empty/],
    ['no authority at all', () => ({ ca: [] }), /^ssl\.ca: given was an empty list/],
    ['one of several that is none', () => ({ ca: [authority.cert, ' '] }), /it is empty/],
    ['DER', () => ({ ca: files.der }), /it is in DER/],
    ['line ends lost in the environment', () => ({ ca: authority.cert.replaceAll('\n', '\\n') }), /two characters \\n/],
    ['blanks for line ends', () => ({ ca: authority.cert.replaceAll('\n', ' ') }), /its line ends are lost/],
    ['a key as authority', () => ({ ca: client.key }), /holds no PEM certificate, but something else in PEM/],
    [
      'a damaged certificate',
      () => ({ ca: authority.cert.replace(/\n.{20}/, '\n') }),
      /certificate 1 of 1 can't be read/,
    ],
    [
      'the second of two damaged',
      () => ({ ca: authority.cert + authority.cert.replace(/\n.{20}/, '\n') }),
      /certificate 2 of 2/,
    ],
    ['lines that are indented', () => ({ ca: indented(authority.cert) }), /must begin in the first column/],
    ['a second that is indented', () => ({ ca: authority.cert + indented(other.cert) }), /^ssl\.ca: only 1 of its 2/],
    ['two without a line end between', () => ({ ca: authority.cert.trim() + other.cert }), /^ssl\.ca: only 1 of its 2/],
    [
      'a second that is cut off',
      () => ({ ca: authority.cert + other.cert.slice(0, -30) }),
      /^ssl\.ca: only 1 of its 2/,
    ],
    [
      'a chain whose second certificate is lost',
      () => ({ cert: client.cert + authority.cert.replaceAll('\n', ' '), key: client.key }),
      /^ssl\.cert: only 1 of its 2/,
    ],
    ['a number as authority', () => ({ ca: 5 }), /^ssl\.ca: allowed is PEM/],
    ['a misspelt field', () => ({ caFile: '/ca.pem' }), /no field 'caFile': `ca` is the content of the file/],
    ['a misspelt version', () => ({ minversion: 'TLSv1.3' }), /no field 'minversion': did you mean 'minVersion'/],
    ['a field of another client', () => ({ keyPassword: SECRET }), /`passphrase`/],
    ['a field that nothing is near to', () => ({ colour: 1 }), /no field 'colour'$/],
    ['what each connection has its own of', () => ({ host: 'x' }), /there must be no 'host'/],
    ['a path as certificate', () => ({ cert: './client.pem', key: client.key }), /^ssl\.cert: .*not its path/],
    ['a path as key', () => ({ cert: client.cert, key: '/k.pem' }), /^ssl\.key: it holds no PEM private key.*path/],
    [
      'certificate and key swapped',
      () => ({ cert: client.key, key: client.cert }),
      /^ssl\.cert: .*something else in PEM/,
    ],
    ['a key that is not the certificate’s', () => ({ ...client, key: other.key }), /^ssl\.key: it is not the key of/],
    ['an encrypted key without passphrase', () => ({ ...client, key: files.encrypted }), /^ssl\.key: it is encrypted/],
    [
      'an encrypted key of the old form without passphrase',
      () => ({ ...client, key: files.encryptedOld }),
      /^ssl\.key: it is encrypted: give its `passphrase`/,
    ],
    ['a wrong passphrase', () => ({ ...client, key: files.encrypted, passphrase: `${SECRET}!` }), /not the one/],
    [
      'a wrong passphrase of PKCS12',
      () => ({ pfx: files.pfx, passphrase: `${SECRET}!` }),
      /^ssl\.pfx: the `passphrase`/,
    ],
    ['PKCS12 without passphrase', () => ({ pfx: files.pfx }), /^ssl\.pfx: it is encrypted/],
    ['PKCS12 of Java 8', () => ({ pfx: files.pfxOld, passphrase: SECRET }), /^ssl\.pfx: .*too old for this OpenSSL/],
    ['a Java key store', () => ({ pfx: Buffer.from('feedfeed00000002', 'hex') }), /Java’s own format/],
    ['a path as PKCS12', () => ({ pfx: '/client.p12' }), /^ssl\.pfx: .*not its path/],
    ['PEM as PKCS12', () => ({ pfx: client.cert }), /it is in PEM/],
    ['a version that is none', () => ({ minVersion: SECRET }), /^ssl\.minVersion: it can't be used/],
    ['ciphers that are none', () => ({ ciphers: SECRET }), /^ssl\.ciphers: it can't be used \(SSL routines: no cipher/],
    [
      'what excludes each other',
      () => ({ minVersion: 'TLSv1.2', secureProtocol: 'TLSv1_2_method' }),
      /^ssl: these options can't be used together$/,
    ],
    ['a passphrase of another type', () => ({ ...client, key: { pem: 5 } }), /^ssl\.key: allowed is PEM/],
  ])('%s', (_, options, message) => {
    expect(refusal(options()).message).toMatch(message)
  })

  it.each<[string, () => object, RegExp]>([
    [
      'PKCS12 with another passphrase',
      () => ({ pfx: files.pfx, passphrase: `${SECRET}!` }),
      /^ssl\.pfx: the `passphrase`/,
    ],
    [
      'the key of another certificate',
      () => ({ cert: client.cert, key: other.key }),
      /^ssl\.key: it is not the key of/,
    ],
    ['ciphers that are none', () => ({ ciphers: SECRET }), /^ssl\.ciphers: it can't be used \(SSL routines: no cipher/],
  ])('%s, also where errors of Node’s are of another realm, as under Jest', (_, options, message) => {
    vi.stubGlobal('Error', runInNewContext('Error'))
    onTestFinished(() => void vi.unstubAllGlobals())
    expect(refusal(options()).message).toMatch(message)
  })

  it.each<[string, () => object]>([
    ['nothing', () => ({})],
    ['an authority as text, as bytes, and several', () => ({ ca: [authority.cert, Buffer.from(authority.cert)] })],
    [
      'a bundle, with text between',
      () => ({ ca: `# one\n${authority.cert}\n# two\r\n${client.cert.replaceAll('\n', '\r\n')}` }),
    ],
    ['the mark of UTF-8 before it', () => ({ ca: ['\ufeff' + authority.cert, Buffer.from('\ufeff' + client.cert)] })],
    ['a certificate with its key', () => ({ ...client, ca: authority.cert })],
    ['key and certificate in one', () => ({ cert: client.key + client.cert, key: client.key + client.cert })],
    ['encrypted keys', () => ({ ...client, key: files.encrypted, passphrase: SECRET })],
    ['encrypted keys of the old form', () => ({ ...client, key: files.encryptedOld, passphrase: SECRET })],
    ['keys with their own passphrase', () => ({ ...client, key: [{ pem: files.encrypted, passphrase: SECRET }] })],
    ['PKCS12', () => ({ pfx: files.pfx, passphrase: SECRET })],
    ['what is about sockets and sessions', () => ({ servername: 'x', family: 4, minVersion: 'TLSv1.3', timeout: 5 })],
    ['part of a chain', () => ({ ca: client.cert, allowPartialTrustChain: true })],
    // Older ones than Node 24 do without.
    ['compressed certificates', () => ({ certificateCompression: ['zlib'] })],
  ])('takes %s', (_, options) => {
    expect(checkTlsOptions(options(), 'ssl')).toEqual(options())
  })

  it('what is undefined is not there at all, so that it hides no default of Node’s', () => {
    const options = { ca: undefined, rejectUnauthorized: undefined, checkServerIdentity: undefined, servername: 'x' }
    expect(Object.entries(checkTlsOptions(options, 'ssl'))).toEqual([['servername', 'x']])
  })
})
