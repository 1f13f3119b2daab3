import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { startProducer, stored } from '../support/producers.js'

it('a connection is not idle while a batch for it is compressed', async () => {
  const kafka = await startKafka({ topics: { t: {} } })
  const producer = startProducer(kafka, {
    connectionsMaxIdleMs: 300,
    retries: 0,
    topicCompression: { t: 'slow-gzip' },
    codecs: [
      {
        name: 'slow-gzip',
        id: 1,
        // Longer than the second that lies between two looks at whether a connection is idle.
        compress: (input: Uint8Array) => sleep(1_500, gzipSync(input)),
        decompress: () => expect.unreachable(),
      },
    ],
  })
  await producer.send({ topic: 't', value: 'v' })
  expect(stored(kafka, 't')).toEqual(['v'])
})
