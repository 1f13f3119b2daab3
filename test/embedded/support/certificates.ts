/** Certificates for tests, made by openssl in a folder of their own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface KeyPair {
  readonly key: string
  readonly cert: string
}

export interface CertificateOptions {
  /** Subject alternative names as openssl takes them. */
  readonly names?: string
  readonly commonName?: string
  readonly expired?: boolean
  /** The only use it is for; any, where left out. */
  readonly usage?: 'serverAuth' | 'clientAuth'
}

export class CertificateAuthority {
  readonly dir = mkdtempSync(join(tmpdir(), 'kafka-producer-certificates-'))
  readonly cert: string
  private count = 0

  constructor(name = 'Test authority') {
    this.openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
    )
    this.cert = this.read('ca.pem')
  }

  issue({
    names = 'DNS:localhost,IP:127.0.0.1',
    commonName = 'localhost',
    expired = false,
    usage,
  }: CertificateOptions = {}): KeyPair {
    const name = `issued-${++this.count}`
    writeFileSync(
      join(this.dir, `${name}.ext`),
      `subjectAltName=${names}\n${usage === undefined ? '' : `extendedKeyUsage=${usage}\n`}`,
    )
    this.openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${commonName}`,
    )
    // Negative days end before they begin: expired from the start.
    this.openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      `${name}.pem`,
      '-days',
      expired ? '-1' : '30',
      '-extfile',
      `${name}.ext`,
    )
    return { key: this.read(`${name}.key`), cert: this.read(`${name}.pem`) }
  }

  /** A list of what it has revoked: those of these. */
  revocationList({ revoked = [], expired = false }: { revoked?: readonly KeyPair[]; expired?: boolean } = {}): string {
    const name = `crl-${++this.count}`
    writeFileSync(join(this.dir, `${name}.txt`), '')
    writeFileSync(
      join(this.dir, `${name}.conf`),
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${name}.txt\ndefault_md=sha256\ndefault_crl_days=30\nprivate_key=ca.key\ncertificate=ca.pem\n`,
    )
    const ca = ['ca', '-config', `${name}.conf`]
    for (const [index, { cert }] of revoked.entries()) {
      writeFileSync(join(this.dir, `${name}-${index}.pem`), cert)
      this.openssl(...ca, '-revoke', `${name}-${index}.pem`)
    }
    const past = ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200201000000Z']
    this.openssl(...ca, '-gencrl', '-out', `${name}.pem`, ...(expired ? past : []))
    return this.read(`${name}.pem`)
  }

  openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'pipe' })
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8')
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
