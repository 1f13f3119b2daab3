import { isIP } from 'node:net'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'

/** Mechanisms that hand the secret itself to whoever answers. SCRAM and GSSAPI prove that they know it. */
const TELLS_THE_SECRET: ReadonlySet<string> = new Set(['PLAIN', 'OAUTHBEARER'])

/**
 * Says once, by a warning of the process, that a password or token goes over a network where anybody can read it. It is
 * allowed, as in Java (`SASL_PLAINTEXT`), for a network that is trusted; that it is meant is not for us to know.
 */
export class ClearTextWarning {
  private isDue: boolean

  constructor(
    private readonly mechanism: string | undefined,
    /** Whether the user has seen to it: by TLS, or by streams of his own. */
    isProtected: boolean,
  ) {
    this.isDue = !isProtected && mechanism !== undefined && TELLS_THE_SECRET.has(mechanism)
  }

  /** Before a connection to that broker, or as soon as it is known that there will be one. */
  about(broker: BrokerAddress): void {
    if (!this.isDue || isLoopback(broker.host)) return
    this.isDue = false
    const secret = this.mechanism === 'PLAIN' ? 'password' : 'token'
    process.emitWarning(
      `${this.mechanism} sends the ${secret} to ${formatAddress(broker)} in clear text, since the option \`ssl\` is not given: whoever is on the way can read it`,
      { type: 'KafkaProducerWarning', code: 'KAFKA_PRODUCER_CLEAR_TEXT_SECRET' },
    )
  }
}

function isLoopback(host: string): boolean {
  const name = host.toLowerCase()
  if (isIP(name) === 4) return name.startsWith('127.')
  return name === '::1' || name.startsWith('::ffff:127.') || name === 'localhost' || name.endsWith('.localhost')
}
