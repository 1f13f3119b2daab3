/** JSON Web Tokens: unsigned ones, and signed ones of an issuer that publishes its keys on loopback. */
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Claims = Readonly<Record<string, unknown>>

function textOf(header: Claims, claims: Claims): string {
  const now = Math.floor(Date.now() / 1000)
  return [header, { sub: 'alice', iat: now, exp: now + 600, ...claims }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
}

export function unsignedToken(claims: Claims): string {
  return `${textOf({ alg: 'none' }, claims)}.`
}

export class TokenIssuer {
  readonly audience = 'kafka'
  readonly issuer = 'http://issuer.example'
  private readonly keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  private readonly server: Server

  constructor() {
    this.server = createServer((_, response) => {
      const key = { ...this.keys.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key] }))
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
  }

  /** Where its keys are (a JWKS). */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/keys`
  }

  /** @param key another than the one it publishes makes a token that is not its own */
  token(claims: Claims = {}, key: KeyObject = this.keys.privateKey): string {
    const text = textOf({ alg: 'RS256', kid: 'one' }, { aud: this.audience, iss: this.issuer, ...claims })
    return `${text}.${createSign('RSA-SHA256').update(text).sign(key, 'base64url')}`
  }

  close(): void {
    this.server.close()
  }
}
