import { BrokerUnavailableError, type KafkaProducerError } from '../../errors.js'
import type { SessionFactory } from '../../network/session/session.js'
import type { BrokerAddress } from '../../network/streams/connect.js'
import { Slots } from '../../network/streams/slots.js'
import type { Surroundings } from '../../surroundings.js'
import { SyncProducer, type SyncProducerConfig } from './sync-producer.js'

/**
 * How many connections are begun at once. Metadata may name as many brokers as it likes, and each connect takes a
 * descriptor of the process.
 */
const MAX_BEGUN = 32
/**
 * Brokers that are silent, such as all of a zone, must not keep the others from being connected to for as long as they may
 * take: what is not done after so long makes room for another, up to so many in all.
 */
const PATIENCE_MS = 1_000
const MAX_OPENING = 256

/** Broker id → {@link SyncProducer}. A connection is replaced only where the broker's address or cluster changed. */
export class ProducerPool {
  private readonly producers = new Map<number, SyncProducer>()
  private readonly slots: Slots
  /** Whose brokers these are; null where that was never told. */
  private clusterId: string | null = null

  constructor(
    private readonly sessions: SessionFactory,
    private readonly config: SyncProducerConfig,
    private readonly surroundings: Surroundings,
  ) {
    this.slots = new Slots(MAX_BEGUN, { clock: surroundings.clock, afterMs: PATIENCE_MS, most: MAX_OPENING })
  }

  /** Takes over the brokers of new metadata. */
  updateProducers(brokers: ReadonlyMap<number, BrokerAddress>): void {
    const { id: clusterId } = this.sessions.cluster
    const isOtherCluster = clusterId !== null && this.clusterId !== null && clusterId !== this.clusterId
    this.clusterId = clusterId ?? this.clusterId
    for (const [id, producer] of this.producers) {
      const address = isOtherCluster ? undefined : brokers.get(id)
      if (address?.host === producer.address.host && address.port === producer.address.port) continue
      this.producers.delete(id)
      producer.retire()
    }
    for (const [id, address] of brokers) {
      if (!this.producers.has(id))
        this.producers.set(id, new SyncProducer(id, address, this.sessions, this.slots, this.config, this.surroundings))
    }
  }

  /** @throws BrokerUnavailableError for an id that the metadata does not name. */
  getProducer(brokerId: number): SyncProducer {
    const producer = this.producers.get(brokerId)
    if (producer === undefined) throw new BrokerUnavailableError(`the metadata names no address for broker ${brokerId}`)
    return producer
  }

  /** Why no broker can be connected to; undefined where one is, or none was tried. */
  get problem(): KafkaProducerError | undefined {
    let problem: KafkaProducerError | undefined
    for (const producer of this.producers.values()) {
      if (producer.session !== undefined) return undefined
      problem ??= producer.problem
    }
    return problem
  }

  /** A message waits, until {@link release}. */
  retain(): void {
    this.sessions.retain()
  }

  release(): void {
    this.sessions.release()
  }

  /** Ends all connections, each after what was written on it. */
  close(graceMs: number): Promise<void> {
    // What waits to connect again must not wait any longer, nor find its way back.
    const producers = [...this.producers.values()]
    this.producers.clear()
    for (const producer of producers) producer.retire()
    return this.sessions.close(graceMs)
  }
}
