import { describe, expect, it } from 'vitest'
import { MalformedResponseError } from '../../../src/errors.js'
import {
  apiVersions,
  decodeApiVersionsResponse,
  type ApiVersionsResponse,
} from '../../../src/protocol/apis/api-versions.js'
import { encodeResponseFrame } from '../../../src/protocol/frame.js'

const answer: ApiVersionsResponse = {
  errorCode: 0,
  apiKeys: [
    { apiKey: 0, minVersion: 0, maxVersion: 13 },
    { apiKey: 18, minVersion: 0, maxVersion: 4 },
  ],
  throttleTimeMs: 0,
  supportedFeatures: [{ name: 'transaction.version', minVersion: 0, maxVersion: 2 }],
  finalizedFeaturesEpoch: 0n,
  finalizedFeatures: [{ name: 'transaction.version', maxVersionLevel: 2, minVersionLevel: 1 }],
  zkMigrationReady: true,
}

function frame(version: number, response: ApiVersionsResponse): Buffer {
  return encodeResponseFrame(apiVersions, version, 1, response).subarray(4)
}

describe('the answer to ApiVersions', () => {
  it.each([3, 4, 5])('in version %i tells features', (version) => {
    expect(decodeApiVersionsResponse(version, frame(version, answer))).toEqual(answer)
  })

  it.each([1, 2, 3, 4, 5])(
    'to a question in version %i that the broker does not know: version 0 and error 35',
    (asked) => {
      const refusal = frame(0, { ...answer, errorCode: 35 })
      const response = decodeApiVersionsResponse(asked, refusal)
      expect(response.errorCode).toBe(35)
      expect(response.apiKeys).toEqual(answer.apiKeys)
      expect(response.supportedFeatures).toEqual([])
    },
  )

  it.each([0, 1, 2, 3, 4, 5])('from before Kafka 2.4 to version %i: error 35 and nothing else', (asked) => {
    expect(decodeApiVersionsResponse(asked, Buffer.from('00000001' + '0023' + '00000000', 'hex')).apiKeys).toEqual([])
  })

  it.each([0, 3, 5])('with error 35 in the version asked for, %i', (asked) => {
    const response = decodeApiVersionsResponse(asked, frame(asked, { ...answer, errorCode: 35 }))
    expect(response.errorCode).toBe(35)
    expect(response.apiKeys).toEqual(answer.apiKeys)
  })

  it('is not taken for version 0 with another error', () => {
    expect(() => decodeApiVersionsResponse(3, frame(0, { ...answer, errorCode: 42 }))).toThrow(MalformedResponseError)
  })

  it('may be malformed with error 35 too', () => {
    const refusal = frame(0, { ...answer, errorCode: 35 })
    for (let size = 0; size < refusal.length; size++) {
      expect(() => decodeApiVersionsResponse(4, refusal.subarray(0, size))).toThrow(MalformedResponseError)
    }
  })
})
