/** Three real brokers, each of which the clients under test reach through a proxy; others reach them directly. */
import { RealKafka } from '../kafka/support/real-kafka.js'
import type { Release } from '../kafka/support/releases.js'
import { Proxy } from './network/proxy.js'

const CLIENTS = 'CLIENTS'

export interface ProxiedCluster {
  readonly kafka: RealKafka
  /** By broker. */
  readonly proxies: ReadonlyMap<number, Proxy>
  /** Where the clients under test begin; it changes when a proxy moves. */
  readonly bootstrap: () => string
  readonly stop: () => Promise<void>
}

export interface ProxiedOptions {
  readonly release: Release
  /** What brokers are called where their clients look for them. */
  readonly host: string
  /** By a client's id: whether weather and faults are meant for it. */
  readonly isUnderTest: (clientId: string) => boolean
  /** Of the connections. */
  readonly log: (line: string) => void
  /** Server properties for every broker. */
  readonly config: Record<string, string>
}

export async function startProxied({
  release,
  host,
  isUnderTest,
  log,
  config,
}: ProxiedOptions): Promise<ProxiedCluster> {
  const proxies = new Map<number, Proxy>()
  for (const broker of [1, 2, 3]) proxies.set(broker, await Proxy.start(broker, isUnderTest, log))
  const close = (): void => {
    for (const proxy of proxies.values()) proxy.close()
  }
  // Kafka 0.8 has one listener, which its brokers use among themselves as well: the proxy knows those under test by their id.
  const hasListeners = release.name !== '0.8.2'
  try {
    const kafka = await RealKafka.start({
      release: release.name,
      brokers: 3,
      listeners: hasListeners ? { [CLIENTS]: 'PLAINTEXT' } : {},
      config,
      advertise: (broker, listener, port) => {
        const proxy = proxies.get(broker)
        if (proxy === undefined || (hasListeners && listener !== CLIENTS)) return `127.0.0.1:${port}`
        proxy.target = port
        return `${host}:${proxy.port}`
      },
    })
    return {
      kafka,
      proxies,
      bootstrap: () => [...proxies.values()].map(({ port }) => `${host}:${port}`).join(','),
      stop: async () => {
        await kafka.stop()
        close()
      },
    }
  } catch (error) {
    close()
    throw error
  }
}
