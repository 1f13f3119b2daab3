/*
 * PLAIN (RFC 4616): name and password as they are. Only TLS keeps them from being read on the way.
 */
import { AuthenticationError } from '../../errors.js'
import type { Secret } from '../secret.js'
import { askString, type Asked, type SaslExchange, type SaslMechanism } from './mechanism.js'

export interface Password {
  readonly username: Asked<string>
  readonly password: Asked<string>
}

export function plainMechanism(given: Secret<Password>): SaslMechanism {
  return {
    name: 'PLAIN',
    remedy: 'look at `username` and `password`',
    async begin(broker) {
      const { username, password } = given.reveal()
      return plainExchange(await askString(username, 'username', broker), await askString(password, 'password', broker))
    },
  }
}

/** @throws AuthenticationError */
export function plainExchange(username: string, password: string): SaslExchange {
  // A zero byte would end the field: the broker would see another name or password than was meant.
  if (`${username}${password}`.includes('\0'))
    throw new AuthenticationError('PLAIN: name and password can’t have zero characters')
  return {
    next: (challenge) => (challenge === undefined ? Buffer.from(`\0${username}\0${password}`) : undefined),
  }
}
