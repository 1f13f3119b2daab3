import { ConnectionFailedError, TlsError, type KafkaProducerError } from '../../errors.js'

/** Of what a peer says first, enough to know these protocols by. */
export const HEAD_BYTES = 8

/** What others say first on their ports, or to a request that they do not understand; in Latin-1. */
const PROTOCOLS: readonly (readonly [greeting: RegExp, name: string])[] = [
  [/^HTTP/, 'HTTP'],
  [/^SSH-/, 'SSH'],
  [/^220[ -]/, 'SMTP or FTP'],
  [/^\* OK/, 'IMAP'],
  [/^\+OK/, 'POP3'],
  [/^-(?:ERR|NOA|DEN|LOA|WRO)/, 'Redis'],
  [/^AMQP/, 'AMQP'],
  [/^INFO /, 'NATS'],
  [/^ERROR\r/, 'Memcached'],
  // An error message: E, its length, and its severity as the first field.
  [/^E\0\0..S/s, 'PostgreSQL'],
  // A packet: three bytes of length, its number 0, and version 10 of the protocol with the server's, or an error.
  [/^..\0\0(?:\n\d|\xff)/s, 'MySQL'],
]

/**
 * Why what a peer says is nothing of a Kafka broker without TLS, where its first bytes tell. As the size of a frame they
 * would all be beyond any bound.
 */
export function notKafka(broker: string, head: Buffer): KafkaProducerError | undefined {
  // A TLS record: its type (20 to 23), then version 3.x.
  if (head.length >= 2 && (head[0] as number) >= 20 && (head[0] as number) <= 23 && head[1] === 3)
    return speaksTls(broker)
  const text = head.toString('latin1')
  const protocol = PROTOCOLS.find(([greeting]) => greeting.test(text))?.[1]
  if (protocol === undefined) return undefined
  return new ConnectionFailedError(
    `${broker} answers in ${protocol}: that is no Kafka broker; look at the host and the port`,
    { retriable: false },
  )
}

export function speaksTls(broker: string): TlsError {
  return new TlsError(
    `${broker} speaks TLS on this port: give \`ssl: true\` or TLS options, or take the port of a listener without TLS`,
  )
}
