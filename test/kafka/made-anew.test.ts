/** A cluster that is made anew at its addresses, while a producer lives that was its client. */
import { expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../src/index.js'
import { ensureKcat, readTopic } from './support/kcat.js'
import { RealKafka } from './support/real-kafka.js'

it.each(['1.1', '4'])(
  'Kafka %s gives others the ids of the cluster before it: no message is taken for one of theirs',
  async (release) => {
    await ensureKcat()
    const kafka = await RealKafka.start({ release, topics: { t: {} } })
    onTestFinished(() => kafka.stop())
    const { bootstrap } = kafka
    const producer = start(bootstrap)
    await producer.send({ topic: 't', value: 'old' })
    await kafka.makeAnew()
    await kafka.createTopic('t')
    const other = start(bootstrap)
    for (const value of ['other 1', 'other 2']) await other.send({ topic: 't', value })
    const [{ offset }] = await producer.send({ topic: 't', value: 'new' })
    expect(offset).toBe(2n)
    const records = await readTopic({ bootstrap, topic: 't', release: kafka.release.version })
    expect(records.map(({ value }) => value?.toString())).toEqual(['other 1', 'other 2', 'new'])
  },
  180_000,
)

function start(brokers: string): Producer {
  const producer = new Producer({ brokers })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 5_000 })))
  return producer
}
