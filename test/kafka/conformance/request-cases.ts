import { describe, expect, it } from 'vitest'
import { apiVersions, type ApiVersionsRequest } from '../../../src/protocol/apis/api-versions.js'
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { metadataRequest } from '../../embedded/support/requests.js'
import { encodeRequestFrame } from '../../support/frames.js'
import type { Subject } from './subject.js'

const software: ApiVersionsRequest = {
  clientSoftwareName: 'conformance',
  clientSoftwareVersion: '1',
  clusterId: null,
  nodeId: -1,
}

export function requestCases(subject: () => Subject): void {
  describe('Requests', () => {
    /** The frame with so many bytes more, or less; its size tells of them. */
    const resized = (frame: Buffer, by: number): Buffer => {
      const changed = Buffer.concat([frame, Buffer.alloc(Math.max(0, by))]).subarray(0, frame.length + by)
      changed.writeInt32BE(changed.length - 4, 0)
      return changed
    }

    // librdkafka asks for all topics with three bytes to spare from Metadata v9 on.
    it('bytes after the end of a request are nobody’s business', async () => {
      const version = subject().version(metadata)
      const client = await subject().connect()
      client.socket.write(resized(encodeRequestFrame(metadata, version, 1, 'spare', metadataRequest(['small'])), 3))
      expect((await client.answer(metadata, version)).topics[0]?.name).toBe('small')
      if (!subject().has(apiVersions)) return
      const asked = subject().version(apiVersions)
      client.socket.write(resized(encodeRequestFrame(apiVersions, asked, 2, 'spare', software), 5))
      expect((await client.answer(apiVersions, asked)).errorCode).toBe(0)
    })

    it('ApiVersions tells the features of the cluster, from version 3 on', async ({ skip }) => {
      if (!subject().has(apiVersions) || subject().version(apiVersions) < 3) skip('has no such version')
      const client = await subject().connect()
      for (const version of new Set([3, subject().version(apiVersions)])) {
        const { supportedFeatures, finalizedFeatures } = await client.call(apiVersions, version, software)
        const features = subject().release.features ?? []
        const known = features.filter(({ min }) => min > 0 || version >= 4)
        expect(
          supportedFeatures.map(({ name, minVersion, maxVersion }) => [name, minVersion, maxVersion]).sort(),
        ).toEqual(known.map(({ name, min, max }) => [name, min, max]).sort())
        expect(finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]).sort()).toEqual(
          features.flatMap(({ name, level }) => (level === 0 ? [] : [[name, level]])).sort(),
        )
      }
    })

    it('ApiVersions is refused to software without a proper name, and to who means another broker', async ({
      skip,
    }) => {
      if (!subject().has(apiVersions) || subject().version(apiVersions) < 3) skip('has no such version')
      const client = await subject().connect()
      const version = subject().version(apiVersions)
      const ask = async (more: Partial<ApiVersionsRequest>) => {
        const { errorCode, apiKeys } = await client.call(apiVersions, version, { ...software, ...more })
        return [errorCode, apiKeys.length > 0]
      }
      for (const wrong of ['', 'a b', '-a', 'ü']) expect(await ask({ clientSoftwareName: wrong })).toEqual([42, false])
      expect(await ask({ clientSoftwareVersion: '' })).toEqual([42, false])
      expect(await ask({ clientSoftwareName: 'a.b-c', clientSoftwareVersion: '1.2-3' })).toEqual([0, true])
      if (version < 5) return
      const clusterId = (await subject().metadata('small')).clusterId ?? ''
      expect(await client.call(apiVersions, version, { ...software, clusterId })).toMatchObject({ errorCode: 42 })
      expect(await client.call(apiVersions, version, { ...software, nodeId: 77 })).toMatchObject({ errorCode: 42 })
      const elsewhere = { ...software, clusterId, nodeId: 77 }
      expect(await client.call(apiVersions, version, elsewhere)).toMatchObject({ errorCode: 129 })
    })

    it('FindCoordinator answers with the texts of its errors, and makes the topics that it speaks of', async ({
      skip,
    }) => {
      if (!subject().has(findCoordinator) || subject().version(findCoordinator) < 1) skip('has no such version')
      await subject().coordinator('group', 0)
      await subject().coordinator('transaction', 1)
      const client = await subject().connect()
      const versions = new Set([1, subject().version(findCoordinator)])
      for (const version of versions) {
        if (version < (subject().release.served(findCoordinator.key)?.min ?? 0)) continue
        const ask = async (keyType: number) => {
          const request = { keyType, coordinatorKeys: ['group'] }
          const [found] = (await client.call(findCoordinator, version, request)).coordinators
          return [found?.errorCode, found?.errorMessage]
        }
        const [code, text] = await ask(0)
        expect(code).toBe(0)
        if (subject().release.atLeast(2, 8)) expect(text).toBe(version >= 4 ? '' : 'NONE')
        if (!subject().release.atLeast(2, 8)) continue
        const [wrong, why] = await ask(9)
        expect([wrong, why]).toEqual([42, expect.stringContaining('being malformed by the client library')])
      }
      const known = await client.call(metadata, subject().version(metadata), metadataRequest(null, false))
      const internal = known.topics.filter(({ isInternal }) => isInternal).map(({ name }) => name)
      expect(internal).toContain('__consumer_offsets')
      if (subject().has(initProducerId)) expect(internal).toContain('__transaction_state')
    })

    it('a request that ends too early closes the connection; Kafka 0.9 forgets it', async () => {
      const client = await subject().connect()
      const version = subject().version(metadata)
      client.socket.write(resized(encodeRequestFrame(metadata, version, 1, 'short', metadataRequest(['small'])), -2))
      if (subject().release.forgets(metadata.key)) {
        const { topics } = await client.call(metadata, version, metadataRequest(['small']))
        expect(topics[0]?.name).toBe('small')
        return
      }
      await client.untilClosed()
      expect(client.hasFrame).toBe(false)
    })
  })
}
