import type { BrokerAddress } from '../streams/connect.js'

/** One authentication, token by token. */
export interface SaslExchange {
  /**
   * The next token to send.
   *
   * @param challenge the broker's answer to the one before; undefined at first
   * @param gone aborted when the connection has ended, and with it the use of any token
   * @returns undefined when nothing more is to be sent: the broker counts as authenticated, too
   * @throws AuthenticationError where the broker's answer is not what it must be
   */
  next(challenge: Buffer | undefined, gone?: AbortSignal): Buffer | undefined | Promise<Buffer | undefined>
  /** After a refusal: whether the same credentials can be put in another way, which the next exchange then does. */
  tryOtherwise?(): boolean
}

/** How a client says who it is. */
export interface SaslMechanism {
  /** As Kafka names it: `'SCRAM-SHA-256'`. */
  readonly name: string
  /** What to look at where a broker refuses the credentials. */
  readonly remedy: string
  /** Begins an authentication with one broker, with credentials asked for anew. */
  begin(broker: BrokerAddress): SaslExchange | Promise<SaslExchange>
}

/** A value, or a function that is asked for it at each connection. */
export type Asked<T> = T | ((broker: BrokerAddress) => T | Promise<T>)

/** @throws TypeError where what was given is no string */
export async function askString(value: Asked<string>, name: string, broker: BrokerAddress): Promise<string> {
  const text: unknown = typeof value === 'function' ? await value(broker) : value
  if (typeof text === 'string' && text !== '') return text
  throw new TypeError(`${name} must be a string that is not empty`)
}
