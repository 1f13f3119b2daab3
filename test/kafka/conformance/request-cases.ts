import { describe, expect, it } from 'vitest'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { encodeRequestFrame } from '../../../src/protocol/frame.js'
import { metadataRequest } from '../../embedded/support/requests.js'
import type { Subject } from './subject.js'

const software = { clientSoftwareName: 'conformance', clientSoftwareVersion: '1', clusterId: null, nodeId: -1 }

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

    it('a request that ends too early closes the connection', async () => {
      const client = await subject().connect()
      const whole = encodeRequestFrame(metadata, subject().version(metadata), 1, 'short', metadataRequest(['small']))
      client.socket.write(resized(whole, -2))
      await client.untilClosed()
      expect(client.hasFrame).toBe(false)
    })
  })
}
