import type { Clock } from '../../clock.js'
import { BrokerNotAllowedError } from '../../errors.js'
import { thrownCause } from '../../wording/thrown-message.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'
import { askUser, NothingCame } from '../user-code.js'

/** The option of that name: whether an address that the cluster names may be connected to. */
export type AllowBroker = (host: string, port: number) => boolean | Promise<boolean>

/**
 * Whose word an address is taken on. Those of the bootstrap list were given by the user; all others are what brokers say
 * of each other, and lead wherever they like.
 */
export class BrokerFilter {
  private readonly given: ReadonlySet<string>

  /** @param timeoutMs how long the user's function may take */
  constructor(
    bootstrap: readonly BrokerAddress[],
    private readonly allow: AllowBroker | undefined,
    private readonly timeoutMs: number,
    private readonly clock: Clock,
  ) {
    this.given = new Set(bootstrap.map(formatAddress))
  }

  /** Whether it was a broker that named the address. */
  isOfCluster(address: BrokerAddress): boolean {
    return !this.given.has(formatAddress(address))
  }

  /**
   * @param gone aborted when nobody wants to connect any more
   * @throws BrokerNotAllowedError unless the user's function says `true` in time, where there is one to be asked; `gone`'s reason
   */
  async check(address: BrokerAddress, gone: AbortSignal): Promise<void> {
    const { allow } = this
    if (allow === undefined || !this.isOfCluster(address)) return
    let answer: unknown
    try {
      const { host, port } = address
      answer = await askUser(this.clock, () => allow(host, port), this.timeoutMs, gone)
    } catch (cause) {
      if (gone.aborted) throw cause
      if (cause instanceof NothingCame) throw refused(address, 'gave no answer for')
      throw refused(address, 'threw when it was asked for', cause)
    }
    if (answer === true) return
    throw refused(address, answer === undefined ? 'gave no answer for' : 'does not allow')
  }
}

function refused(address: BrokerAddress, how: string, cause?: unknown): BrokerNotAllowedError {
  return new BrokerNotAllowedError(
    `\`allowBroker\` ${how} ${formatAddress(address)}, an address that the cluster named`,
    thrownCause(cause),
  )
}
