import type { ProducerOptions, RawData } from '../../../src/index.js'
import type { Role } from '../roles.js'

/** What all producers are made with. */
export function optionsOf(role: Role, bootstrap: string): ProducerOptions<RawData, RawData> {
  const { name, requestTimeoutMs, deliveryTimeoutMs, connectionsMaxIdleMs, metadataRefreshIntervalMs, codec } = role
  return {
    brokers: bootstrap,
    clientId: name,
    requestTimeoutMs,
    deliveryTimeoutMs,
    connectionsMaxIdleMs,
    metadataRefreshIntervalMs,
    connectTimeoutMs: 3_000,
    compression: codec,
    // A topic that is made anew is made by the test.
    allowAutoTopicCreation: false,
  }
}
