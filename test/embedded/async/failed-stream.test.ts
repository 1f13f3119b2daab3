import { once } from 'node:events'
import { expect, test } from 'vitest'
import { Producer } from '../../../src/index.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'

test('of a stream that a message has failed no more is sent, and whoever wrote it hears so', async () => {
  await using kafka = await EmbeddedKafka.start({ topics: { logs: { partitions: 1 } } })
  await using producer = new Producer({ brokers: kafka.bootstrap, partitioner: { partition: (key) => Number(key) } })
  const stream = producer.writable({ topic: 'logs', inFlight: 10 })
  const refused: number[] = []
  const write = (value: number, key: string) =>
    stream.write({ key, value: `${value}` }, (error) => void (error && refused.push(value)))
  const failed = once(stream, 'close').catch((error: unknown) => error)
  // Nobody waits for 'drain': those beyond the first ten are held back.
  for (let i = 0; i < 100; i++) write(i, i === 3 ? 'nowhere' : '0')
  expect(await failed).toMatchObject({ code: 'FAILED_TO_SEND' })
  await producer.flush()
  const stored = kafka.records('logs').map(({ value }) => Number(value))
  expect(stored).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9])
  expect(refused).toEqual(Array.from({ length: 90 }, (_, i) => 10 + i))
})
