import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { Producer } from '../../../src/index.js'
import { startKafka } from '../support/cluster.js'
import { errorOf, valuesOf } from '../support/producers.js'

const VALUES = Array.from({ length: 200 }, (_, i) => `${i}`)

describe.each(['sync', 'async'] as const)(
  '%s mode: a producer that closes while a stream holds back messages',
  (type) => {
    async function start() {
      const kafka = await startKafka({ topics: { logs: {} } })
      const producer = new Producer({ brokers: kafka.bootstrap, type })
      const stream = producer.writable({ topic: 'logs', inFlight: 5 })
      return { kafka, producer, stream }
    }

    it('waits for all of them where the stream was ended, and takes none of anybody else', async () => {
      const { kafka, producer, stream } = await start()
      const finished = once(stream, 'finish')
      for (const value of VALUES) stream.write(value)
      stream.end()
      const closed = producer.close()
      await expect(producer.send({ topic: 'logs', value: 'late' })).rejects.toMatchObject({ code: 'PRODUCER_CLOSED' })
      expect(await closed).toEqual({ failed: 0, unsent: [] })
      await finished
      expect(valuesOf(kafka.records('logs'))).toEqual(VALUES)
    })

    it.each(['not ended', 'ended later'])('fails the stream where it was %s', async (end) => {
      const { kafka, producer, stream } = await start()
      const failed = once(stream, 'close').catch((error: unknown) => error)
      for (const value of VALUES) stream.write(value)
      const closed = producer.close()
      if (end === 'ended later') stream.end()
      await closed
      expect(await failed).toMatchObject({ code: 'PRODUCER_CLOSED' })
      expect(kafka.records('logs').length).toBeLessThan(VALUES.length)
    })

    it('waits no longer than for that, also where all listeners were taken off it', async () => {
      const { kafka, producer, stream } = await start()
      for (const value of VALUES) stream.write(value)
      stream.end()
      stream.removeAllListeners()
      expect(await producer.close()).toEqual({ failed: 0, unsent: [] })
      expect(valuesOf(kafka.records('logs'))).toEqual(VALUES)
    })

    it('waits for nothing of a stream that has failed', async () => {
      const { producer, stream } = await start()
      const failed = once(stream, 'close').catch((error: unknown) => error)
      stream.write('1')
      stream.end()
      stream.destroy(new Error('no more'))
      await producer.close()
      expect(await failed).toMatchObject({ message: 'no more' })
    })
  },
)

it.each([0, 50])('no longer than %d ms is waited for a stream, which fails then', async (timeoutMs) => {
  const kafka = await startKafka({ topics: { logs: {} } })
  kafka.stall({ api: 'Produce' })
  const producer = new Producer({ brokers: kafka.bootstrap })
  const stream = producer.writable({ topic: 'logs', inFlight: 5 })
  const failed = errorOf(finished(stream))
  for (const value of VALUES) stream.write(value)
  stream.end()
  const { unsent } = await producer.close({ timeoutMs })
  expect(unsent).toHaveLength(5)
  expect(await failed).toMatchObject({ code: 'FAILED_TO_SEND' })
})
