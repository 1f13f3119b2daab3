/** A cluster that is made anew at its addresses, or that they lead to by now, while a producer lives that was the client of another. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { Producer, TransactionalProducer, type ProducerOptions } from '../../src/index.js'
import { ensureKcat, readTopic } from './support/kcat.js'
import { RealKafka } from './support/real-kafka.js'

it.each(['1.1', '4'])(
  'Kafka %s gives others the ids of the cluster before it: no message is taken for one of theirs',
  async (release) => {
    await ensureKcat()
    const kafka = await startCluster(release)
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

it.each(['1.1', '2.8'])(
  'Kafka %s, whose name leads to another cluster while it goes on answering: no message is taken for one of others there',
  async (release) => {
    await ensureKcat()
    const [kafka, other] = await Promise.all([startCluster(release), startCluster(release)])
    const { sockets, move, createConnection } = routes()
    const producer = start(kafka.bootstrap, { createConnection })
    await producer.send({ topic: 't', value: 'old' })
    const others = start(other.bootstrap)
    for (const value of ['other 1', 'other 2']) await others.send({ topic: 't', value })
    move(kafka, other)
    const [ofQuestions, ...ofMessages] = sockets
    for (const socket of ofMessages) await once(socket.destroy(), 'close')
    await producer.partitionsFor('t')
    expect(ofQuestions?.closed).toBe(false)
    const [{ offset }] = await producer.send({ topic: 't', value: 'new' })
    expect(offset).toBe(2n)
    const records = await readTopic({ bootstrap: other.bootstrap, topic: 't', release: other.release.version })
    expect(records.map(({ value }) => value?.toString())).toEqual(['other 1', 'other 2', 'new'])
  },
  180_000,
)

it.each(['2.8', '4'])(
  'Kafka %s, whose name leads to another cluster while its coordinator is still there: what is committed is seen there',
  async (release) => {
    await ensureKcat()
    const [kafka, other] = await Promise.all([startCluster(release), startCluster(release)])
    const { sockets, move, createConnection } = routes()
    const producer = new TransactionalProducer({ brokers: kafka.bootstrap, transactionalId: 'tx', createConnection })
    onTestFinished(async () => void (await producer.close({ timeoutMs: 5_000 })))
    await producer.transaction((tx) => tx.send({ topic: 't', value: 'old' }))
    move(kafka, other)
    // The first is asked for metadata and the coordinator, the second is the coordinator's, the last takes messages.
    const [ofQuestions, ofCoordinator, ...ofMessages] = sockets
    for (const socket of [ofQuestions as Socket, ...ofMessages]) await once(socket.destroy(), 'close')
    const told: string[] = []
    for (const value of ['a', 'b', 'c'])
      await producer
        .transaction((tx) => void tx.send({ topic: 't', value }))
        .then(
          () => told.push(value),
          (error: unknown) => expect(error).toMatchObject({ kind: 'abortable', name: 'TransactionAbortedError' }),
        )
    expect(ofCoordinator).toBeDefined()
    expect(told).toContain('c')
    const records = await readTopic({ bootstrap: other.bootstrap, topic: 't', release: other.release.version })
    expect(records.map(({ value }) => value?.toString())).toEqual(told)
  },
  180_000,
)

async function startCluster(release: string): Promise<RealKafka> {
  const kafka = await RealKafka.start({ release, topics: { t: {} } })
  onTestFinished(() => kafka.stop())
  return kafka
}

/** Sockets, in the order that they were connected in, to where the names lead that may move. */
function routes() {
  const moved = new Map<number, number>()
  const sockets: Socket[] = []
  const createConnection: ProducerOptions['createConnection'] = ({ host, port }) => {
    const socket = connect({ host, port: moved.get(port) ?? port })
    sockets.push(socket)
    return socket
  }
  const move = (from: RealKafka, to: RealKafka) => moved.set(portOf(from), portOf(to))
  return { sockets, move, createConnection }
}

const portOf = ({ bootstrap }: RealKafka) => Number(bootstrap.split(':').at(-1))

function start(brokers: string, options: Partial<ProducerOptions> = {}): Producer {
  const producer = new Producer({ brokers, ...options })
  onTestFinished(async () => void (await producer.close({ timeoutMs: 5_000 })))
  return producer
}
