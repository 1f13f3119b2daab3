import type { Stage } from '../stage.js'
import type { BrokerAddress } from '../streams/connect.js'

/** A session that is being opened. */
export interface Opening {
  readonly address: BrokerAddress
  /** The broker that the metadata has there; undefined for an address that the user gave. */
  readonly nodeId: number | undefined
  /** Aborted when it is called off; not any more once the session is there. */
  readonly signal: AbortSignal
  /** How far it has come. */
  readonly stage: Stage
}
