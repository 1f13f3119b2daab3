import { EmbeddedKafkaError } from './errors.js'

/**
 * The Kafka releases that the embedded broker plays: the versions of each request that they list, and where else they
 * behave differently. Everything that depends on a release is asked of this file.
 */

/** A release by its short name; full versions such as `'2.8.2'` are accepted too. */
export type ReleaseName = '0.8.2' | '0.9' | '0.10.2' | '0.11' | '1.1' | '2.8' | '3.9' | '4'

export interface VersionRange {
  readonly min: number
  readonly max: number
}

const NAMES: readonly ReleaseName[] = ['0.8.2', '0.9', '0.10.2', '0.11', '1.1', '2.8', '3.9', '4']

/** What `'4'` stands for where a rule came with a certain 4.x. */
const NEWEST = [4, 4] as const

/**
 * Rows: API keys. Columns: the releases above. A number is the highest version (from 0), `-` is none. As the brokers'
 * ApiVersions answers list them; for 0.8 and 0.9, which have no such request, as their sources accept them.
 */
const RANGES: readonly (readonly [apiKey: number, name: string, columns: string])[] = [
  //                       0.8.2 0.9 0.10.2 0.11 1.1 2.8 3.9 4
  [0, 'Produce',            '0    1   2      3    5   9   11  0-13'],
  [1, 'Fetch',              '0    1   3      5    7   12  17  4-18'],
  [2, 'ListOffsets',        '0    0   1      2    2   6   9   1-11'],
  [3, 'Metadata',           '0    0   2      4    5   11  12  0-13'],
  [8, 'OffsetCommit',       '1    2   2      3    3   8   9   2-10'],
  [9, 'OffsetFetch',        '1    1   1      3    3   7   9   1-10'],
  [10, 'FindCoordinator',   '0    0   0      1    1   3   6   0-6'],
  [11, 'JoinGroup',         '-    0   1      2    2   7   9   0-9'],
  [12, 'Heartbeat',         '-    0   0      1    1   4   4   0-4'],
  [13, 'LeaveGroup',        '-    0   0      1    1   4   5   0-5'],
  [14, 'SyncGroup',         '-    0   0      1    1   5   5   0-5'],
  [17, 'SaslHandshake',     '-    -   0      0    1   1   1   0-1'],
  [18, 'ApiVersions',       '-    -   0      1    1   3   4   0-5'],
  [19, 'CreateTopics',      '-    -   1      2    2   7   7   2-7'],
  [20, 'DeleteTopics',      '-    -   0      1    1   6   6   1-6'],
  [22, 'InitProducerId',    '-    -   -      0    0   4   5   0-5'],
  [24, 'AddPartitionsToTxn', '-   -   -      0    0   3   5   0-5'],
  [25, 'AddOffsetsToTxn',   '-    -   -      0    0   3   4   0-4'],
  [26, 'EndTxn',            '-    -   -      0    0   3   4   0-5'],
  [28, 'TxnOffsetCommit',   '-    -   -      0    0   3   4   0-5'],
  [36, 'SaslAuthenticate',  '-    -   -      -    0   2   2   0-2'],
  [60, 'DescribeCluster',   '-    -   -      -    -   0   1   0-2'],
]

/** How a release takes an ApiVersions request. */
export type ApiVersionsManner = 'answers' | 'silent' | 'hangs-up'

export class Release {
  private readonly number: readonly [major: number, minor: number]
  private readonly ranges: ReadonlyMap<number, VersionRange>

  private constructor(readonly name: ReleaseName) {
    const [major = 0, minor = 0] = name === '4' ? NEWEST : name.split('.').map(Number)
    // 0.8 to 0.11 count their second part as later ones count the first.
    this.number = [major, minor]
    this.ranges = rangesOf(name)
  }

  /** Throws `UNKNOWN_RELEASE`, naming those that are known. */
  static named(text: string): Release {
    const name = NAMES.find((known) => text === known || text.startsWith(`${known}.`))
    if (name === undefined) {
      throw new EmbeddedKafkaError('UNKNOWN_RELEASE', `no Kafka release '${text}' here; known are ${NAMES.join(', ')}`)
    }
    return new Release(name)
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

  get apiVersions(): ApiVersionsManner {
    if (this.listed(18) !== undefined) return 'answers'
    return this.atLeast(0, 9) ? 'silent' : 'hangs-up'
  }

  /** An ApiVersions of unknown version is told the range of ApiVersions (KIP-511); before, an empty list. */
  get tellsApiVersionsRange(): boolean {
    return this.atLeast(2, 4)
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

  /** Throttled clients are answered first and muted then (KIP-219); before, the answer came late. */
  get answersBeforeThrottling(): boolean {
    return this.atLeast(2, 0)
  }

  /** A topic that a Metadata request has just created: 5 with ZooKeeper, 3 since the controller is asked for it. */
  get errorOfNewTopic(): 'LEADER_NOT_AVAILABLE' | 'UNKNOWN_TOPIC_OR_PARTITION' {
    return this.atLeast(3, 0) ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'LEADER_NOT_AVAILABLE'
  }

  /** Milliseconds that a timestamp may lie ahead of the broker's clock (KIP-1030). */
  get maxTimestampAheadMs(): number {
    return this.atLeast(4, 0) ? 3_600_000 : Infinity
  }

  /** Any broker takes requests that are the controller's, and passes them on. */
  get forwardsToController(): boolean {
    return this.atLeast(3, 0)
  }

  /** The level of the feature `transaction.version`; 2 is KIP-890. Undefined where the release does not tell of it. */
  get transactionVersion(): number | undefined {
    return this.atLeast(4, 0) ? 2 : undefined
  }

  private atLeast(major: number, minor: number): boolean {
    const [ownMajor, ownMinor] = this.number
    return ownMajor !== major ? ownMajor > major : ownMinor >= minor
  }
}

function rangesOf(name: ReleaseName): ReadonlyMap<number, VersionRange> {
  const column = NAMES.indexOf(name)
  const ranges = new Map<number, VersionRange>()
  for (const [apiKey, , columns] of RANGES) {
    const cell = columns.split(/ +/)[column] ?? '-'
    if (cell === '-') continue
    const [low = '0', high] = cell.split('-')
    ranges.set(apiKey, high === undefined ? { min: 0, max: Number(low) } : { min: Number(low), max: Number(high) })
  }
  return ranges
}
