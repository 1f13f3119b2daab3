import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { startKafka } from '../support/cluster.js'
import { startProducer, stored } from '../support/producers.js'

/** Longer than the second that lies between two looks at whether a connection is idle. */
const LONG_MS = 1_500

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
        compress: (input: Uint8Array) => sleep(LONG_MS, gzipSync(input)),
        decompress: () => expect.unreachable(),
      },
    ],
  })
  await producer.send({ topic: 't', value: 'v' })
  expect(stored(kafka, 't')).toEqual(['v'])
  // Where the connection had gone meanwhile, the batch would go over another one, and the message know nothing of it.
  expect(producer.stats().retriesByCode).toEqual({})
})

it('a connection is not idle while its credentials are being made', async () => {
  const kafka = await startKafka({ topics: { t: {} }, sasl: { users: { alice: 'secret' } } })
  const producer = startProducer(kafka, {
    connectionsMaxIdleMs: 300,
    deliveryTimeoutMs: 20_000,
    sasl: { mechanism: 'plain', username: 'alice', password: () => sleep(LONG_MS, 'secret') },
  })
  await producer.send({ topic: 't', value: 'v' })
  expect(stored(kafka, 't')).toEqual(['v'])
})
