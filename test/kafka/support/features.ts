/** What each Kafka release can do, as far as a producer sees it, and since when: the one place that tests ask. */
import { findRelease } from './releases.js'

/** A feature and the first release that has it, in the order of releases. */
const since = {
  /** Format 1 of messages. */
  timestamps: '0.10',
  /** Format 2 of messages. */
  headers: '0.11',
  /** Transactions, and idempotent producers. */
  transactions: '0.11',
  /** The broker tells which requests it serves, in which versions. */
  apiVersions: '0.10',
  /** A question about a topic can say that it must not create it. */
  metadataWithoutCreation: '0.11',
  /** Produce v5: an answer tells where the log of the partition begins. */
  logStartOffset: '1.0',
  /** Produce v7 takes it. */
  zstd: '2.1',
  /** Produce v8: an error names the messages that caused it. */
  recordErrors: '2.4',
  /** Part two of KIP-890: `transaction.version` 2. */
  transactionVersion: '4.0',
  /** ApiVersions v5 (KIP-1242): a broker says where it is not the one that it is taken for. */
  misroutedConnections: '4.4',
  /** Topics have an id. */
  topicIds: '2.8',
} as const

export type Feature = keyof typeof since

/** Why a release cannot do something; undefined where it can. */
export function whyLacking(release: string, feature: Feature): string | undefined {
  return isBefore(findRelease(release).version, since[feature]) ? `since Kafka ${since[feature]}` : undefined
}

/** Whether a version is older than another. */
export function isBefore(version: string, other: string): boolean {
  const [own, first] = [version, other].map((text) => text.split('.').map(Number)) as [number[], number[]]
  for (const [index, part] of first.entries()) {
    const difference = (own[index] ?? 0) - part
    if (difference !== 0) return difference < 0
  }
  return false
}
