import { UnsupportedVersionError } from '../errors.js'
import type { ApiInfo } from './api.js'

export interface VersionRange {
  readonly minVersion: number
  readonly maxVersion: number
}

/** Which versions of which APIs a broker serves. */
export class ServedVersions {
  /**
   * @param ranges per API key what the broker serves
   * @param source where the ranges come from, for error messages: a broker's answer, or a release's known set
   * @param features levels of the features that the cluster has agreed on (KIP-584)
   */
  constructor(
    private readonly ranges: ReadonlyMap<number, VersionRange>,
    readonly source: string,
    private readonly features: ReadonlyMap<string, number> = new Map(),
  ) {}

  /** The level of a feature; 0 where the cluster does not have it. */
  featureLevel(name: string): number {
    return this.features.get(name) ?? 0
  }

  /** Whether both sides have a version of this API in common. */
  has(api: ApiInfo): boolean {
    return this.common(api, api.maxVersion) !== undefined
  }

  /**
   * The highest version that both sides have, never above `cap`. A broker may advertise versions that it no longer
   * serves (Kafka 4.0: Produce 0 to 2), so nothing here ever tests for one exact version.
   *
   * @throws UnsupportedVersionError where there is none.
   */
  highest(api: ApiInfo, cap: number = api.maxVersion): number {
    const version = this.common(api, Math.min(cap, api.maxVersion))
    if (version !== undefined) return version
    const range = this.ranges.get(api.key)
    const served = range === undefined ? 'none' : `${range.minVersion} to ${range.maxVersion}`
    throw new UnsupportedVersionError(
      `${api.name}: this client has versions ${api.minVersion} to ${Math.min(cap, api.maxVersion)}, the broker serves ${served} (${this.source})`,
    )
  }

  private common(api: ApiInfo, cap: number): number | undefined {
    const range = this.ranges.get(api.key)
    if (range === undefined) return undefined
    const version = Math.min(range.maxVersion, cap)
    return version >= Math.max(range.minVersion, api.minVersion) ? version : undefined
  }
}

const PRODUCE_KEY = 0
const METADATA_KEY = 3

/**
 * What brokers older than ApiVersions (Kafka 0.10, KIP-35) serve of what a producer needs. Kafka 0.9 has Produce 1 too,
 * which adds to the answer a throttle time that the broker itself has already waited: nothing a client could use.
 */
export const LEGACY_VERSIONS = new ServedVersions(
  new Map([
    [PRODUCE_KEY, { minVersion: 0, maxVersion: 0 }],
    [METADATA_KEY, { minVersion: 0, maxVersion: 0 }],
  ]),
  'Kafka 0.8 and 0.9',
)

/** The record format that a version of Produce carries: the magic of its entries. */
export function magicOfProduce(version: number): 0 | 1 | 2 {
  if (version >= 3) return 2
  return version === 2 ? 1 : 0
}
