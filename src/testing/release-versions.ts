/** A release by its short name; full versions such as `'2.8.2'` are accepted too. */
export type ReleaseName = '0.8.2' | '0.9' | '0.10.2' | '0.11' | '1.1' | '2.8' | '3.9' | '4'

export interface VersionRange {
  readonly min: number
  readonly max: number
}

export const RELEASE_NAMES: readonly ReleaseName[] = ['0.8.2', '0.9', '0.10.2', '0.11', '1.1', '2.8', '3.9', '4']

/**
 * Rows: API keys. Columns: the releases above. A number is the highest version (from 0), `-` is none. As the brokers'
 * ApiVersions answers list them, which test/golden/api-versions holds; for 0.8 and 0.9, which have no such request, as
 * their sources accept them.
 */
export const RANGES: readonly (readonly [apiKey: number, name: string, columns: string])[] = [
  //                       0.8.2 0.9 0.10.2 0.11 1.1 2.8 3.9 4
  [0, 'Produce', '0    1   2      3    5   9   11  0-13'],
  [1, 'Fetch', '0    1   3      5    7   12  17  4-18'],
  [2, 'ListOffsets', '0    0   1      2    2   6   9   1-11'],
  [3, 'Metadata', '0    0   2      4    5   11  12  0-13'],
  [8, 'OffsetCommit', '1    2   2      3    3   8   9   2-10'],
  [9, 'OffsetFetch', '1    1   2      3    3   7   9   1-10'],
  [10, 'FindCoordinator', '0    0   0      1    1   3   6   0-6'],
  [11, 'JoinGroup', '-    0   1      2    2   7   9   0-9'],
  [12, 'Heartbeat', '-    0   0      1    1   4   4   0-4'],
  [13, 'LeaveGroup', '-    0   0      1    1   4   5   0-5'],
  [14, 'SyncGroup', '-    0   0      1    1   5   5   0-5'],
  [17, 'SaslHandshake', '-    -   0      0    1   1   1   0-1'],
  [18, 'ApiVersions', '-    -   0      1    1   3   4   0-5'],
  [19, 'CreateTopics', '-    -   1      2    2   7   7   2-7'],
  [20, 'DeleteTopics', '-    -   0      1    1   6   6   1-6'],
  [22, 'InitProducerId', '-    -   -      0    0   4   5   0-5'],
  [24, 'AddPartitionsToTxn', '-   -   -      0    0   3   5   0-5'],
  [25, 'AddOffsetsToTxn', '-    -   -      0    0   3   4   0-4'],
  [26, 'EndTxn', '-    -   -      0    0   3   4   0-5'],
  [28, 'TxnOffsetCommit', '-    -   -      0    0   3   4   0-6'],
  [36, 'SaslAuthenticate', '-    -   -      -    0   2   2   0-2'],
  [60, 'DescribeCluster', '-    -   -      -    -   0   1   0-2'],
]

/** The same of what brokers list only where they have a plug-in that takes clients' metrics (KIP-714). */
const METRICS_RANGES: typeof RANGES = [
  [71, 'GetTelemetrySubscriptions', '- - - - - - 0 0'],
  [72, 'PushTelemetry', '- - - - - - 0 0'],
]

/** The versions of each request, by API key. */
export function rangesOf(name: ReleaseName, takesMetrics: boolean): ReadonlyMap<number, VersionRange> {
  const column = RELEASE_NAMES.indexOf(name)
  const ranges = new Map<number, VersionRange>()
  for (const [apiKey, , columns] of takesMetrics ? [...RANGES, ...METRICS_RANGES] : RANGES) {
    const cell = columns.split(/ +/)[column] ?? '-'
    if (cell === '-') continue
    const [low = '0', high] = cell.split('-')
    ranges.set(apiKey, high === undefined ? { min: 0, max: Number(low) } : { min: Number(low), max: Number(high) })
  }
  return ranges
}
