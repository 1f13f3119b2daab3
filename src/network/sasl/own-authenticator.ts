/*
 * Any other mechanism, such as GSSAPI: the user's own object makes the tokens.
 */
import { isUint8Array } from 'node:util/types'
import type { Secret } from '../secret.js'
import type { BrokerAddress } from '../streams/connect.js'
import type { SaslExchange, SaslMechanism } from './mechanism.js'

/** One authentication by an object of your own. */
export interface OwnExchange {
  /** The next token, given the broker's answer to the one before; undefined at first, and to end. */
  next(challenge: Uint8Array | undefined): Uint8Array | undefined | Promise<Uint8Array | undefined>
}

export interface SaslAuthenticator {
  /** Called at each connection, and each time that a session must be renewed. */
  begin(broker: BrokerAddress): OwnExchange | Promise<OwnExchange>
}

export function ownMechanism(name: string, given: Secret<SaslAuthenticator>): SaslMechanism {
  return {
    name,
    remedy: 'look at what its `authenticator` makes the tokens of',
    async begin(broker): Promise<SaslExchange> {
      const exchange: unknown = await given.reveal().begin(broker)
      if (typeof (exchange as Partial<OwnExchange> | null | undefined)?.next !== 'function')
        throw new TypeError('begin() of the `authenticator` gave no object with a method next()')
      return {
        async next(challenge) {
          const token: unknown = await (exchange as OwnExchange).next(challenge)
          if (token === undefined) return undefined
          // Of whatever realm; a copy, since the bytes are the user's.
          if (isUint8Array(token)) return Buffer.from(token)
          throw new TypeError('next() of the `authenticator` gave neither bytes nor undefined')
        },
      }
    },
  }
}
