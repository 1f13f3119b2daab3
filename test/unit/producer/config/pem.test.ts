import { createPrivateKey, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withLineEnds } from '../../../../src/producer/config/pem.js'
import { CertificateAuthority, type KeyPair } from '../../../embedded/support/certificates.js'

let authority: CertificateAuthority
let client: KeyPair
/** As OpenSSL wrote them before 1.0: the cipher stands in headers. */
let oldKey: string

beforeAll(() => {
  authority = new CertificateAuthority()
  client = authority.issue()
  authority.openssl('ec', '-in', 'issued-1.key', '-aes128', '-passout', 'pass:changeit', '-out', 'old.key')
  oldKey = authority.read('old.key')
})
afterAll(() => authority.remove())

describe('PEM that lost its line ends in a properties file gets them back', () => {
  it.each<[string, (pem: string) => string]>([
    ['blanks', (pem) => pem.replaceAll('\n', ' ')],
    ['tabs and several blanks', (pem) => pem.replaceAll('\n', ' \t  ')],
    ['lines with blanks before them', (pem) => pem.replaceAll('\n', '\n   ')],
    ['the two characters \\n', (pem) => pem.replaceAll('\n', '\\n')],
    ['blanks at the ends', (pem) => `  ${pem.replaceAll('\n', ' ')}  `],
    ['nothing at all', (pem) => pem.replace(/\n(?!-)/g, (end) => (end === '\n' ? ' ' : end))],
  ])('%s', (_, spoil) => {
    const chain = authority.cert + client.cert
    expect(withLineEnds(spoil(chain))).toBe(chain)
    expect(withLineEnds(spoil(client.key))).toBe(client.key)
    expect(new X509Certificate(withLineEnds(spoil(client.cert))).subject).toBe('CN=localhost')
    const key = createPrivateKey({ key: withLineEnds(spoil(oldKey)), passphrase: 'changeit' })
    expect(key.asymmetricKeyType).toBe('ec')
  })

  it('what is well-formed stays as it is, text between included', () => {
    for (const text of [
      client.key + client.cert,
      `# a\n${authority.cert}# b\n${client.cert}`,
      oldKey,
      client.cert.replaceAll('\n', '\r\n'),
    ])
      expect(withLineEnds(text)).toBe(text)
  })

  it('what has no end is not left out: the others alone would be taken for all', () => {
    const cutOff = `${authority.cert}${client.cert.slice(0, -30)}`.replaceAll('\n', ' ')
    expect(withLineEnds(cutOff)).toBe(cutOff)
  })

  it('what is no PEM stays as it is, for whoever checks it', () => {
    for (const text of ['', '/ca.pem', 'MIIB', '-----BEGIN CERTIFICATE-----']) expect(withLineEnds(text)).toBe(text)
  })
})
