/*
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the password never travels, and the broker has to prove that it
 * knows it.
 *
 *   client first   n,,n=<name>,r=<client nonce>
 *   server first   r=<client nonce><server nonce>,s=<salt>,i=<iterations>
 *   client final   c=biws,r=<both nonces>,p=<proof>
 *   server final   v=<signature>, or e=<error>
 */
import { AuthenticationError } from '../../errors.js'
import { systemRandom, type Random } from '../../random.js'
import type { Secret } from '../secret.js'
import { askString, type SaslExchange, type SaslMechanism } from './mechanism.js'
import type { Password } from './plain.js'
import { SaltedPasswords, type Salting } from './salted-passwords.js'
import { saslprep } from './saslprep.js'

/** Loaded by whoever logs in, and not with the library. */
const crypto = () => process.getBuiltinModule('node:crypto')

export type ScramHash = 'sha256' | 'sha512'

/** Fewer would make a stolen exchange cheap to guess from (RFC 7677); Kafka stores no fewer. */
const MIN_ITERATIONS = 4_096
/**
 * More would keep this client busy for whoever answers on that port: this many take some 50 ms of a core. Kafka stores
 * 16,384 at most (`ScramMechanism.maxIterations`); other brokers may store four times that.
 */
const MAX_ITERATIONS = 65_536
const NONCE_BYTES = 24

export function scramMechanism(hash: ScramHash, given: Secret<Password>, random: Random = systemRandom): SaslMechanism {
  /** What the next connection does; several may be authenticated at once. */
  let takesAsTyped = false
  const passwords = new SaltedPasswords(hash)
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
      const isAsTyped = takesAsTyped
      const [user, secret] = isAsTyped ? typed : prepared
      const nonce = random.bytes(NONCE_BYTES).toString('base64')
      return {
        ...scramExchange(hash, user, secret, nonce, passwords),
        /** Apache Kafka does not prepare what it stores: what preparing changes may be known to it as it was typed. */
        tryOtherwise() {
          if (typed.every((text, i) => text === prepared[i])) return false
          takesAsTyped = !isAsTyped
          return true
        },
      }
    },
  }
}

/** @param nonce random, of printable characters without commas */
export function scramExchange(
  hash: ScramHash,
  username: string,
  password: string,
  nonce: string,
  passwords = new SaltedPasswords(hash),
): SaslExchange {
  const clientFirst = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  let serverSignature: Buffer | undefined
  let isVerified = false
  return {
    async next(challenge, gone) {
      if (challenge === undefined) return Buffer.from(`n,,${clientFirst}`)
      if (serverSignature !== undefined) {
        if (!isVerified) verify(challenge, serverSignature)
        isVerified = true
        return undefined
      }
      const serverFirst = challenge.toString('utf8')
      const { bothNonces, ...salting } = readServerFirst(serverFirst, nonce)
      const salted = await passwords.salted(password, salting, gone)
      const { proof, signature } = prove(hash, salted, clientFirst, serverFirst, bothNonces)
      serverSignature = signature
      return Buffer.from(proof)
    },
  }
}

function readServerFirst(serverFirst: string, nonce: string): Salting & { readonly bothNonces: string } {
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
  return { bothNonces, salt, iterations }
}

function prove(hash: ScramHash, salted: Buffer, clientFirst: string, serverFirst: string, bothNonces: string) {
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
