/** The requests that the embedded broker can serve; which it does serve depends on the release it plays. */
export const API_NAMES = [
  'Produce',
  'Fetch',
  'ListOffsets',
  'Metadata',
  'OffsetCommit',
  'OffsetFetch',
  'FindCoordinator',
  'JoinGroup',
  'Heartbeat',
  'LeaveGroup',
  'SyncGroup',
  'SaslHandshake',
  'ApiVersions',
  'CreateTopics',
  'DeleteTopics',
  'InitProducerId',
  'AddPartitionsToTxn',
  'AddOffsetsToTxn',
  'EndTxn',
  'TxnOffsetCommit',
  'SaslAuthenticate',
  'DescribeCluster',
  'GetTelemetrySubscriptions',
  'PushTelemetry',
] as const

/** One of them, by its name. */
export type ApiName = (typeof API_NAMES)[number]
