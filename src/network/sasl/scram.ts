/*
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the password never travels, and the broker has to prove that it
 * knows it.
 *
 *   client first   n,,n=<name>,r=<client nonce>
 *   server first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *   client final   c=biws,r=<both nonces>,p=<proof>
 *   server final   v=<signature>, or e=<error>
 */
import { promisify } from 'node:util'
import { AuthenticationError } from '../../errors.js'
import type { Secret } from '../secret.js'
import { askString, type SaslExchange, type SaslMechanism } from './mechanism.js'
import type { Password } from './plain.js'
import { saslprep } from './saslprep.js'

/** Loaded by whoever logs in, and not with the library. */
const crypto = () => process.getBuiltinModule('node:crypto')

export type ScramHash = 'sha256' | 'sha512'

/** Fewer would make a stolen exchange cheap to guess from (RFC 7677); Kafka stores no fewer. */
const MIN_ITERATIONS = 4_096
/** More would keep this client busy for whoever answers on that port. Kafka stores 16,384 at most. */
const MAX_ITERATIONS = 1_000_000
const NONCE_BYTES = 24

export function scramMechanism(hash: ScramHash, given: Secret<Password>): SaslMechanism {
  let takesAsTyped = false
  let preparingMatters = false
  const name = hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512'
  return {
    name,
    remedy: `look at \`username\` and \`password\`, and whether the brokers have them for ${name}`,
    async begin(broker) {
      const { username, password } = given.reveal()
      const typed = [
        await askString(username, 'username', broker),
        await askString(password, 'password', broker),
      ] as const
      // What RFC 4013 forbids goes as it is: Kafka's own tools store it so.
      const prepared = typed.map((text) => saslprep(text) ?? text)
      preparingMatters = typed.some((text, i) => text !== prepared[i])
      const [user, secret] = takesAsTyped ? typed : prepared
      return scramExchange(hash, user, secret, crypto().randomBytes(NONCE_BYTES).toString('base64'))
    },
    /** Apache Kafka does not prepare what it stores: what preparing changes may be known to it as it was typed. */
    tryOtherwise() {
      const isNew = preparingMatters && !takesAsTyped
      takesAsTyped = isNew
      return isNew
    },
  }
}

/** @param nonce random, of printable characters without commas */
export function scramExchange(hash: ScramHash, username: string, password: string, nonce: string): SaslExchange {
  const clientFirst = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  let serverSignature: Buffer | undefined
  let isVerified = false
  return {
    async next(challenge) {
      if (challenge === undefined) return Buffer.from(`n,,${clientFirst}`)
      if (serverSignature !== undefined) {
        if (!isVerified) verify(challenge, serverSignature)
        isVerified = true
        return undefined
      }
      const { proof, signature } = await prove(hash, password, clientFirst, nonce, challenge.toString('utf8'))
      serverSignature = signature
      return Buffer.from(proof)
    },
  }
}

async function prove(hash: ScramHash, password: string, clientFirst: string, nonce: string, serverFirst: string) {
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,10})(?:,.*)?$/.exec(serverFirst)
  if (match === null) throw new AuthenticationError(`SCRAM: the broker’s first message is none${reason(serverFirst)}`)
  const [, bothNonces = '', salt = '', count = ''] = match
  const iterations = Number(count)
  if (!bothNonces.startsWith(nonce) || bothNonces.length === nonce.length) {
    throw new AuthenticationError(
      'SCRAM: the broker’s nonce does not go on from this client’s: the answer is to somebody else',
    )
  }
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw new AuthenticationError(
      `SCRAM: the broker asks for ${iterations} iterations, allowed are ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`,
    )
  }
  const length = hash === 'sha256' ? 32 : 64
  const salted = await promisify(crypto().pbkdf2)(password, Buffer.from(salt, 'base64'), iterations, length, hash)
  const hmac = (key: Buffer, text: string) => crypto().createHmac(hash, key).update(text).digest()
  const clientKey = hmac(salted, 'Client Key')
  // biws is the base64 of "n,,": no channel binding.
  const withoutProof = `c=biws,r=${bothNonces}`
  const authMessage = `${clientFirst},${serverFirst},${withoutProof}`
  const clientSignature = hmac(crypto().createHash(hash).update(clientKey).digest(), authMessage)
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (clientSignature[i] as number)))
  return {
    proof: `${withoutProof},p=${proof.toString('base64')}`,
    signature: hmac(hmac(salted, 'Server Key'), authMessage),
  }
}

function verify(serverFinal: Buffer, expected: Buffer): void {
  const text = serverFinal.toString('utf8')
  const signature = /^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/.exec(text)?.[1]
  if (signature === undefined) throw new AuthenticationError(`SCRAM: the broker’s last message is none${reason(text)}`)
  const given = Buffer.from(signature, 'base64')
  if (given.length !== expected.length || !crypto().timingSafeEqual(given, expected)) {
    throw new AuthenticationError(
      'SCRAM: the broker could not prove that it knows the password: it may not be the one it says it is',
    )
  }
}

/** The error in a server's message, where it has one: letters and dashes only, whatever it is. */
function reason(message: string): string {
  const told = /^e=([A-Za-z-]{1,60})/.exec(message)?.[1]
  return told === undefined ? '' : `: ${told}`
}
