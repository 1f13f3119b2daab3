import { EmbeddedKafkaError } from './errors.js'
import { RELEASE_NAMES, rangesOf, type ReleaseName, type VersionRange } from './release-versions.js'

/**
 * The Kafka releases that the embedded broker plays, and where they behave differently. Everything that depends on a
 * release is asked of this file; the versions of each request stand in release-versions.ts.
 */

/** What `'4'` stands for where a rule came with a certain 4.x. */
const NEWEST = [4, 4] as const

/** How a release takes an ApiVersions request. */
export type ApiVersionsManner = 'answers' | 'silent' | 'hangs-up'

/** A feature of a cluster (KIP-584): the levels that a release knows, and that at which it is; 0 is off. */
export interface Feature {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly level: number
}

const FEATURES_OF_4: readonly Feature[] = [
  { name: 'group.version', min: 0, max: 1, level: 1 },
  { name: 'kraft.version', min: 0, max: 1, level: 0 },
  { name: 'metadata.version', min: 7, max: 33, level: 33 },
  { name: 'share.version', min: 0, max: 2, level: 2 },
  { name: 'streams.version', min: 0, max: 1, level: 1 },
  { name: 'transaction.version', min: 0, max: 2, level: 2 },
  { name: 'eligible.leader.replicas.version', min: 0, max: 1, level: 1 },
]
const FEATURES_OF_3: readonly Feature[] = [
  { name: 'kraft.version', min: 0, max: 1, level: 0 },
  { name: 'metadata.version', min: 1, max: 21, level: 21 },
]

export class Release {
  private readonly number: readonly [major: number, minor: number]
  private readonly ranges: ReadonlyMap<number, VersionRange>

  private constructor(
    readonly name: ReleaseName,
    /** Whether there is a plug-in for clients' metrics: only then the requests for them are there. */
    readonly takesMetrics: boolean,
  ) {
    const [major = 0, minor = 0] = name === '4' ? NEWEST : name.split('.').map(Number)
    // 0.8 to 0.11 count their second part as later ones count the first.
    this.number = [major, minor]
    this.ranges = rangesOf(name, takesMetrics)
  }

  /** Throws `UNKNOWN_RELEASE`, naming those that are known. */
  static named(text: string, takesMetrics = false): Release {
    const name = RELEASE_NAMES.find((known) => text === known || text.startsWith(`${known}.`))
    if (name === undefined) {
      throw new EmbeddedKafkaError(
        'UNKNOWN_RELEASE',
        `no Kafka release '${text}' here; known are ${RELEASE_NAMES.join(', ')}`,
      )
    }
    return new Release(name, takesMetrics)
  }

  /** The versions that this release lists for an API. */
  listed(apiKey: number): VersionRange | undefined {
    return this.ranges.get(apiKey)
  }

  /** The versions that it really serves: Kafka 4 lists Produce from 0 for old clients' sake, and refuses 0 to 2. */
  served(apiKey: number): VersionRange | undefined {
    const range = this.ranges.get(apiKey)
    return apiKey === 0 && range !== undefined && this.atLeast(4, 0) ? { min: 3, max: range.max } : range
  }

  /**
   * The version in which a request is served that came in `version`; undefined where it is not served. Before 0.10 a
   * Produce of a version yet to come is taken for the newest that the broker knows.
   */
  servedVersion(apiKey: number, version: number): number | undefined {
    const range = this.served(apiKey)
    if (range === undefined || version < range.min) return undefined
    if (version <= range.max) return version
    return apiKey === 0 && !this.atLeast(0, 10) ? range.max : undefined
  }

  get apiVersions(): ApiVersionsManner {
    if (this.listed(18) !== undefined) return 'answers'
    return this.forgets(18) ? 'silent' : 'hangs-up'
  }

  /**
   * Whether a request that it can't read, or doesn't know, is forgotten, and what comes after it on the connection served. In
   * 0.9 that trips up the old readers of requests; the new ones, of JoinGroup to ListGroups, have the connection closed.
   */
  forgets(apiKey: number): boolean {
    return this.atLeast(0, 9) && !this.atLeast(0, 10) && !(apiKey >= 11 && apiKey <= 16)
  }

  /** An ApiVersions of unknown version is told the range of ApiVersions (KIP-511); before, an empty list. */
  get tellsApiVersionsRange(): boolean {
    return this.atLeast(2, 4)
  }

  /** Whether it ends SASL sessions that are not renewed (KIP-368). */
  get endsSessions(): boolean {
    return this.atLeast(2, 2)
  }

  /** Who has not authenticated yet may ask for its versions until it was told them (KIP-152), before that again and again. */
  get tellsStrangersVersionsOnce(): boolean {
    return this.atLeast(1, 0)
  }

  /** SCRAM with more before the broker's nonce is refused (CVE-2024-56128): librdkafka 2.0.2 puts its own there twice. */
  get wantsScramNonceAlone(): boolean {
    return this.atLeast(3, 7)
  }

  /** The newest record format that its logs hold. */
  get maxMagic(): 0 | 1 | 2 {
    if (this.atLeast(0, 11)) return 2
    return this.atLeast(0, 10) ? 1 : 0
  }

  /** Whether a topic's message.format.version means anything (KIP-724). */
  get heedsMessageFormat(): boolean {
    return !this.atLeast(3, 0)
  }

  /** Batches of a producer that are remembered, to know a duplicate. */
  get rememberedBatches(): number {
    return this.atLeast(1, 0) ? 5 : 1
  }

  /** What a first batch of an unknown producer gets whose sequence is not 0: accepted since KIP-360. */
  get unknownProducer(): 'accepted' | 'UNKNOWN_PRODUCER_ID' | 'OUT_OF_ORDER_SEQUENCE_NUMBER' {
    if (this.atLeast(2, 5)) return 'accepted'
    return this.atLeast(1, 0) ? 'UNKNOWN_PRODUCER_ID' : 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  }

  /** A Produce of version 3 or later with other than one batch of magic 2: answered for its partition, or hung up on. */
  get hangsUpOnWrongBatches(): boolean {
    return !this.atLeast(2, 3)
  }

  /** In versions before 3 of Produce, what is compressed comes alone, and all that comes together has one format (KAFKA-8106). */
  get wantsOneFormat(): boolean {
    return this.atLeast(2, 4)
  }

  /** More replicas in sync than a partition has at all are not asked for. */
  get boundsMinInsync(): boolean {
    return this.isKraft
  }

  /** What a record gets that is whole but not allowed: 87 since KIP-467. */
  get errorOfInvalidRecord(): 'INVALID_RECORD' | 'CORRUPT_MESSAGE' {
    return this.atLeast(2, 4) ? 'INVALID_RECORD' : 'CORRUPT_MESSAGE'
  }

  /** A compacted topic refuses messages without a key. */
  get wantsKeysInCompactedTopics(): boolean {
    return this.atLeast(0, 9)
  }

  /** An acks above 1 is a number of replicas to wait for; later it is refused. */
  get takesAnyAcks(): boolean {
    return !this.atLeast(0, 9)
  }

  /** What a broker answers of a partition that it has no replica of: that it does not lead it, since 2.0. */
  get errorOfForeignPartition(): 'NOT_LEADER_OR_FOLLOWER' | 'UNKNOWN_TOPIC_OR_PARTITION' {
    return this.atLeast(2, 0) ? 'NOT_LEADER_OR_FOLLOWER' : 'UNKNOWN_TOPIC_OR_PARTITION'
  }

  /** Offsets may be committed for partitions that a topic does not have, as long as there is the topic. */
  get keepsOffsetsOfUnknownPartitions(): boolean {
    return !this.atLeast(2, 0)
  }

  /** A member of a group that has joined must ask for its assignment within the rebalance time-out (KAFKA-12890). */
  get dropsMembersThatDoNotSync(): boolean {
    return this.atLeast(2, 8)
  }

  /** Throttled clients are answered first and muted then (KIP-219); before, the answer came late. */
  get answersBeforeThrottling(): boolean {
    return this.atLeast(2, 0)
  }

  /** A topic that a Metadata request has just created: 5 with ZooKeeper, 3 since the controller is asked for it. */
  get errorOfNewTopic(): 'LEADER_NOT_AVAILABLE' | 'UNKNOWN_TOPIC_OR_PARTITION' {
    return this.atLeast(3, 0) ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'LEADER_NOT_AVAILABLE'
  }

  /** Bytes of the largest batch where nothing else is said (KAFKA-4203). */
  get messageMaxBytes(): number {
    return this.atLeast(2, 5) ? 1_048_588 : 1_000_012
  }

  /** Milliseconds that a timestamp may lie ahead of the broker's clock (KIP-1030). */
  get maxTimestampAheadMs(): number {
    return this.atLeast(4, 0) ? 3_600_000 : Infinity
  }

  /**
   * Topics are the business of a KRaft controller, to which any broker passes requests on; else of the broker that is the
   * controller by ZooKeeper. Their texts of errors differ.
   */
  get isKraft(): boolean {
    return this.atLeast(3, 0)
  }

  /** The features that ApiVersions tells of; undefined where the release has none. */
  get features(): readonly Feature[] | undefined {
    if (this.atLeast(4, 0)) return FEATURES_OF_4
    return this.isKraft ? FEATURES_OF_3 : undefined
  }

  /** The level of the feature `transaction.version`; 2 is KIP-890. Undefined where the release does not tell of it. */
  get transactionVersion(): number | undefined {
    return this.features?.find(({ name }) => name === 'transaction.version')?.level
  }

  /** What clients' metrics may come to counts once they are decompressed, too. */
  get boundsUnpackedMetrics(): boolean {
    return this.atLeast(4, 0)
  }

  /** A partition takes a transaction's messages only if its coordinator knows that it is part of it (KIP-890). */
  get verifiesTransactions(): boolean {
    return this.atLeast(3, 6)
  }

  atLeast(major: number, minor: number): boolean {
    const [ownMajor, ownMinor] = this.number
    return ownMajor !== major ? ownMajor > major : ownMinor >= minor
  }
}
