import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ProducerConfig, type ProducerOptions } from '../../../../src/index.js'
import { CertificateAuthority, type KeyPair } from '../../../embedded/support/certificates.js'

const servers = 'bootstrap.servers=kafka:9093\n'
const sasl = { mechanism: 'scram-sha-512', username: 'alice', password: 'S3CRET' } as const

let authority: CertificateAuthority
let client: KeyPair
beforeAll(() => {
  authority = new CertificateAuthority()
  client = authority.issue()
})
afterAll(() => authority.remove())

function read(properties: Record<string, string>, options: Partial<ProducerOptions> = {}): ProducerConfig {
  return ProducerConfig.fromProperties({ 'bootstrap.servers': 'kafka:9093', ...properties }, options)
}

describe('properties of secure connections', () => {
  it('security.protocol says whether there is TLS', () => {
    expect(read({ 'security.protocol': 'SSL' }).ssl?.reveal()).toBe(true)
    expect(read({ 'security.protocol': 'SASL_SSL' }, { sasl }).ssl?.reveal()).toBe(true)
    expect(read({ 'security.protocol': 'SASL_PLAINTEXT' }, { sasl }).ssl).toBeUndefined()
    expect(read({ 'security.protocol': 'PLAINTEXT' }).ssl).toBeUndefined()
    expect(() => read({ 'security.protocol': 'TLS' })).toThrow(/SASL_SSL/)
  })

  it('takes certificates and keys in PEM, from the file itself or from others', () => {
    const inline = read({
      'security.protocol': 'SSL',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.certificates': authority.cert,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.certificate.chain': client.cert,
      'ssl.keystore.key': client.key,
    })
    expect(inline.ssl?.reveal()).toEqual({
      allowPartialTrustChain: true,
      ca: authority.cert.trim(),
      cert: client.cert.trim(),
      key: client.key.trim(),
    })
    const dir = mkdtempSync(join(tmpdir(), 'properties-'))
    writeFileSync(join(dir, 'client.pem'), client.key + client.cert)
    const files = read({
      'security.protocol': 'SSL',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(dir, 'client.pem'),
    })
    expect(files.ssl?.reveal()).toEqual({ cert: client.key + client.cert, key: client.key + client.cert })
  })

  it.each([
    [{ 'ssl.keystore.location': '/k.jks' }, /ssl\.keystore\.location.*option `ssl`/],
    [
      { 'security.protocol': 'SSL', 'ssl.truststore.location': '/t.p12', 'ssl.truststore.type': 'PKCS12' },
      /option `ssl`/,
    ],
    [{ 'ssl.truststore.password': 'S3CRET' }, /option `ssl`/],
    [{ 'security.protocol': 'SSL', 'ssl.endpoint.identification.algorithm': '' }, /checkServerIdentity/],
    [{ 'security.protocol': 'SASL_SSL' }, /option `sasl`/],
    [{ 'sasl.mechanism': 'PLAIN' }, /option `sasl`/],
    [{ 'sasl.jaas.config': 'PlainLoginModule required password="S3CRET";' }, /option `sasl`/],
    [{ 'sasl.kerberos.service.name': 'kafka' }, /option `sasl`/],
  ])('refuses %o, and names what stands in for it', (properties, text) => {
    expect(() => read(properties)).toThrow(text)
    expect(() => read(properties)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('S3CRET') }),
    )
  })

  it('takes them where the program gives what stands in for them', () => {
    const config = ProducerConfig.fromProperties(
      `${servers}security.protocol=SASL_SSL\nssl.truststore.location=/t.jks\nssl.truststore.password=S3CRET\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=x "S3CRET"`,
      { ssl: { ca: authority.cert }, sasl },
    )
    expect(config.sasl?.name).toBe('SCRAM-SHA-512')
    expect(config.ssl?.reveal()).toEqual({ ca: authority.cert })
    expect(config.notes.join('\n')).not.toContain('S3CRET')
    expect(() => read({ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'PLAIN' }, { sasl })).toThrow(
      /the file has 'PLAIN'/,
    )
  })
})
