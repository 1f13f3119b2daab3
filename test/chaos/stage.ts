/** What faults are done to. */
import type { RealKafka } from '../kafka/support/real-kafka.js'
import type { Proxy } from './network/proxy.js'
import type { Topics } from './roles.js'

export interface Stage {
  readonly kafka: RealKafka
  /** By broker. */
  readonly proxies: ReadonlyMap<number, Proxy>
  readonly topics: Topics
  /** The clients at work. */
  readonly clientIds: readonly string[]
  /** Brokers have other addresses from now on. */
  moved(): void
  /** Waits so long; less where all is to end now. */
  hold(ms: number): Promise<void>
}
