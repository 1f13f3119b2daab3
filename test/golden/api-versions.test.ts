/** What the embedded broker plays, and what the client believes of old brokers, held against answers of real ones. */
import { describe, expect, it } from 'vitest'
import { decodeApiVersionsResponse } from '../../src/protocol/apis/api-versions.js'
import { metadata } from '../../src/protocol/apis/metadata.js'
import { produce } from '../../src/protocol/apis/produce.js'
import { LEGACY_VERSIONS, ServedVersions } from '../../src/protocol/versions.js'
import { Release } from '../../src/testing/releases.js'
import { readCaptures } from './api-versions/captures.js'

const captures = readCaptures()
const asking = captures.filter(({ apiVersions }) => apiVersions.did === 'answered')

/** Below the keys that brokers ask only each other. */
const apiKeys = Array.from({ length: 100 }, (_, key) => key)

describe.each(captures)('Kafka $release', ({ release, apiVersions, unknownApiVersions, produceOfOldFormats }) => {
  const played = Release.named(release)

  it('is played as it takes the question for its versions', () => {
    expect(played.apiVersions).toBe(
      { answered: 'answers', 'stayed silent': 'silent', 'hung up': 'hangs-up' }[apiVersions.did],
    )
  })

  it('is played with its versions of every API that is played at all', () => {
    const { ranges } = apiVersions.answer ?? {}
    if (ranges === undefined) return
    for (const key of apiKeys) {
      const own = played.listed(key)
      if (own !== undefined) expect({ key, range: [own.min, own.max] }).toEqual({ key, range: ranges[key] })
    }
    for (const key of [0, 1, 2, 3, 18]) expect(played.listed(key)).toBeDefined()
  })

  it('is played as it takes versions of ApiVersions that it does not know', () => {
    for (const { answer } of Object.values(unknownApiVersions)) {
      expect(answer?.errorCode).toBe(35)
      expect(Object.keys(answer?.ranges ?? {})).toEqual(played.tellsApiVersionsRange ? ['18'] : [])
    }
  })

  it('is played as it takes Produce of the old formats', () => {
    for (const [version, { did, errorCode }] of Object.entries(produceOfOldFormats)) {
      const range = played.served(produce.key)
      const isServed = range !== undefined && Number(version) >= range.min && Number(version) <= range.max
      // Brokers without ApiVersions do not look at the version.
      if (isServed) expect({ version, did, errorCode }).toEqual({ version, did: 'answered', errorCode: 0 })
      else if (apiVersions.did === 'answered') expect({ version, did }).toEqual({ version, did: 'hung up' })
    }
  })

  it('is served by this client', () => {
    const versions = apiVersions.answer === undefined ? LEGACY_VERSIONS : servedBy(apiVersions.answer.ranges)
    const expected: Record<string, [number, number]> = {
      '0.8.2.2': [0, 0],
      '0.9.0.1': [0, 0],
      '0.10.2.2': [2, 2],
      '0.11.0.3': [3, 4],
      '1.1.1': [5, 5],
      '2.8.2': [9, 11],
      '3.9.2': [11, 12],
      '4.4.0': [13, 13],
    }
    expect([versions.highest(produce), versions.highest(metadata)]).toEqual(expected[release])
  })
})

it.each(asking)(
  'the answers of Kafka $release are read to their last byte, with nothing left',
  ({ apiVersions, apiVersionsHighest }) => {
    for (const [version, observed] of [
      [0, apiVersions] as const,
      [apiVersionsHighest?.version ?? 0, apiVersionsHighest] as const,
    ]) {
      if (observed?.response === undefined) continue
      const { apiKeys: ranges, errorCode } = decodeApiVersionsResponse(
        version,
        Buffer.from(observed.response, 'hex').subarray(4),
      )
      expect(errorCode).toBe(0)
      expect(
        Object.fromEntries(ranges.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]])),
      ).toEqual(observed.answer?.ranges)
    }
  },
)

function servedBy(ranges: Readonly<Record<string, readonly [number, number]>>): ServedVersions {
  return new ServedVersions(
    new Map(Object.entries(ranges).map(([key, [minVersion, maxVersion]]) => [Number(key), { minVersion, maxVersion }])),
    'a capture',
  )
}
