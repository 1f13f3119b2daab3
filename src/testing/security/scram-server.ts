import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import type { Random } from '../../random.js'
import type { PasswordOf, Verdict } from './sasl-server.js'

const ITERATIONS = 4_096

/**
 * The broker's side of SCRAM (RFC 5802), for one client.
 *
 * @param wantsNonceAlone whether the nonce that the client comes with last must be the broker's, or may only end with it
 */
export function scramServer(
  hash: 'sha256' | 'sha512',
  passwordOf: PasswordOf,
  random: Random,
  wantsNonceAlone: boolean,
): (token: Buffer) => Verdict {
  const hmac = (key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest()
  const salt = random.bytes(16)
  let started: { user: string; clientFirst: string; serverFirst: string; nonce: string; salted: Buffer } | undefined
  return (token) => {
    const text = token.toString('utf8')
    if (started === undefined) {
      const match = /^n,,(n=([^,]+),r=([^,]+))$/.exec(text)
      const user = match?.[2]?.replaceAll('=2C', ',').replaceAll('=3D', '=') ?? ''
      const password = passwordOf(user)
      if (match === null || password === undefined) return refusal(hash, user)
      const [, clientFirst = '', , clientNonce = ''] = match
      const nonce = clientNonce + random.bytes(16).toString('base64')
      const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${ITERATIONS}`
      const salted = pbkdf2Sync(password, salt, ITERATIONS, hash === 'sha256' ? 32 : 64, hash)
      started = { user, clientFirst, serverFirst, nonce, salted }
      return { kind: 'goes on', token: Buffer.from(serverFirst) }
    }
    const { user, clientFirst, serverFirst, nonce, salted } = started
    const [withoutProof = '', proof = ''] = text.split(/,p=/)
    const authMessage = `${clientFirst},${serverFirst},${withoutProof}`
    const storedKey = createHash(hash).update(hmac(salted, 'Client Key')).digest()
    const signature = hmac(storedKey, authMessage)
    const given = Buffer.from(proof, 'base64')
    const clientKey = Buffer.from(signature.map((byte, i) => byte ^ (given[i] ?? 0)))
    const isOfNonce = wantsNonceAlone
      ? withoutProof === `c=biws,r=${nonce}`
      : withoutProof.startsWith('c=biws,r=') && withoutProof.endsWith(nonce)
    const isRight = isOfNonce && timingSafeEqual(createHash(hash).update(clientKey).digest(), storedKey)
    if (!isRight) return refusal(hash, user)
    const serverSignature = hmac(hmac(salted, 'Server Key'), authMessage)
    return { kind: 'accepted', user, token: Buffer.from(`v=${serverSignature.toString('base64')}`) }
  }
}

function refusal(hash: string, user: string): Verdict {
  return {
    kind: 'refused',
    user,
    message: `Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-${hash.slice(3)}`,
  }
}
