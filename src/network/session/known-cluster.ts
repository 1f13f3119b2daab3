import type { BrokerAddress } from '../streams/connect.js'
import type { Destination } from './versions-question.js'

const NO_BROKERS: ReadonlyMap<number, BrokerAddress> = new Map()
/** More than any cluster gains from one answer about its brokers to the next. */
const MAX_ADDED = 100

/** What the metadata told last of the cluster: who it is, and which brokers it has. */
export class KnownCluster {
  private clusterId: string | null = null
  /** The last id that was told. */
  private lastId: string | null = null
  private members = NO_BROKERS
  private areForgotten = false
  private isInDoubt = false
  private forgettings = 0
  /** How many brokers were added since the last answer about them. */
  private added = 0

  /** Null where it was never told: Metadata has it since v2. It is kept when the brokers are forgotten. */
  get id(): string | null {
    return this.clusterId
  }

  /** Those that can be asked, by id; empty while only the bootstrap list is known. */
  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.areForgotten ? NO_BROKERS : this.members
  }

  /** How often its brokers were forgotten. */
  get timesForgotten(): number {
    return this.forgettings
  }

  /** What a connection to one of its brokers is to lead to; undefined while that is not known. */
  destination(nodeId: number | undefined): Destination | undefined {
    const { clusterId } = this
    return nodeId === undefined || clusterId === null ? undefined : { clusterId, nodeId }
  }

  /**
   * Whether a connection made now may lead to another one: to one that was made anew, which ends all connections, or to where a
   * name has moved. What another connection says is of no use for that: it was there before, or is that of another name.
   */
  get mayBeAnother(): boolean {
    return this.isInDoubt
  }

  /** Gives whether it is another one than before. */
  learn(id: string | null, brokers: ReadonlyMap<number, BrokerAddress>): boolean {
    const isAnother = id !== null && this.lastId !== null && id !== this.lastId
    this.clusterId = id
    this.lastId = id ?? this.lastId
    this.members = brokers
    this.added = 0
    this.areForgotten = false
    return isAnother
  }

  /** Whether any can be added that are not known: each takes a connection, and answers tell of as many as they like. */
  get takesMore(): boolean {
    return this.added < MAX_ADDED
  }

  /** Some of its brokers, which an answer about something else told of besides; gives all that are known. */
  add(brokers: ReadonlyMap<number, BrokerAddress>): ReadonlyMap<number, BrokerAddress> {
    for (const id of brokers.keys()) if (!this.members.has(id)) this.added++
    this.members = new Map([...this.members, ...brokers])
    return this.members
  }

  /** A connection to it has ended. */
  doubt(): void {
    this.isInDoubt = true
  }

  /** None of the brokers is to be asked any more: the bootstrap list is (KIP-899, KIP-1102). */
  forgetBrokers(): void {
    this.areForgotten = true
    this.forgettings++
  }
}
