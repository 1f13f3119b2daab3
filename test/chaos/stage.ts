/** What faults are done to. */
import type { RealKafka } from '../kafka/support/real-kafka.js'
import type { Crew } from './crew.js'
import type { Proxy } from './network/proxy.js'
import type { Topics } from './roles.js'

export interface Stage {
  readonly kafka: RealKafka
  /** By broker. */
  readonly proxies: ReadonlyMap<number, Proxy>
  readonly topics: Topics
  readonly crew: Pick<Crew, 'clientIds' | 'moved' | 'replaceOne'>
  /** Waits so long; less where all is to end now. */
  hold(ms: number): Promise<void>
}
