/*
 * Any other mechanism, such as GSSAPI: the user's own object makes the tokens.
 */
import type { BrokerAddress } from '../connect.js'
import type { Secret } from '../secret.js'
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
      const exchange = await given.reveal().begin(broker)
      return {
        async next(challenge) {
          const token = await exchange.next(challenge)
          return token === undefined ? undefined : Buffer.from(token)
        },
      }
    },
  }
}
