import type { BrokerAddress } from './connect.js'

const NO_BROKERS: ReadonlyMap<number, BrokerAddress> = new Map()

/** What the metadata told last of the cluster: who it is, and which brokers it has. */
export class KnownCluster {
  private clusterId: string | null = null
  private members = NO_BROKERS
  private isInDoubt = false

  /** Null where it was never told: Metadata has it since v2. It is kept when the brokers are forgotten. */
  get id(): string | null {
    return this.clusterId
  }

  /** By id; empty while only the bootstrap list is known. */
  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.members
  }

  /** Whether it may have been made anew since it was heard of last: that ends all connections. */
  get mayBeAnother(): boolean {
    return this.isInDoubt
  }

  learn(id: string | null, brokers: ReadonlyMap<number, BrokerAddress>): void {
    this.clusterId = id
    this.members = brokers
    this.isInDoubt = false
  }

  /** A connection to it has ended. */
  doubt(): void {
    this.isInDoubt = true
  }

  /** It is the same as before. */
  confirm(): void {
    this.isInDoubt = false
  }

  /** None of the brokers is to be asked any more: the bootstrap list is (KIP-899, KIP-1102). */
  forgetBrokers(): void {
    this.members = NO_BROKERS
  }
}
