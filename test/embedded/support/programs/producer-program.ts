/*
 * A program of its own, to see when it exits: `producer-program.ts <what> <brokers>`. It prints a line per step.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Producer, TransactionalProducer, type CreateConnection, type LogFields } from '../../../../src/index.js'

const [what = '', brokers = ''] = process.argv.slice(2)
const print = (line: string) => process.stdout.write(`${line}\n`)
const options = { brokers, retryBackoffMs: 5, retryBackoffMaxMs: 20 }

async function sendAndTell(producer: Producer, value = 'x', signal?: AbortSignal): Promise<void> {
  try {
    await producer.send({ topic: 'orders', value }, signal && { signal })
    print(`sent ${value}`)
  } catch (error) {
    print((error as { cause?: { code?: string } }).cause?.code ?? String(error))
  }
}

const programs: Record<string, () => Promise<void>> = {
  async constructed() {
    new Producer(options)
  },
  async sent() {
    await sendAndTell(new Producer({ ...options, metadataRefreshIntervalMs: 30_000 }))
  },
  async sentOverOwnStream() {
    const createConnection: CreateConnection = async ({ host, port }) => {
      const socket = connect(port, host)
      await once(socket, 'connect')
      return socket
    }
    await sendAndTell(new Producer({ ...options, createConnection }))
  },
  async sentWithStatistics() {
    await sendAndTell(new Producer({ ...options, statsIntervalMs: 600_000, onStats: () => undefined }))
  },
  async unsettled() {
    // Nobody awaits it; the process must stay until it is acknowledged.
    void sendAndTell(new Producer({ ...options, metadataRefreshIntervalMs: -1 }))
  },
  async backPressure() {
    const producer = new Producer({ ...options, queueMessages: 1, enqueueTimeoutMs: 60_000 })
    await Promise.all(['1', '2', '3'].map((value) => sendAndTell(producer, value)))
  },
  async expired() {
    await sendAndTell(new Producer({ ...options, deliveryTimeoutMs: 300, retryBackoffMaxMs: 60_000 }))
  },
  async expiredConnecting() {
    await sendAndTell(new Producer({ ...options, deliveryTimeoutMs: 300, connectTimeoutMs: 600_000 }))
  },
  async expiredInHandshake() {
    await sendAndTell(new Producer({ ...options, deliveryTimeoutMs: 300, connectTimeoutMs: 600_000, ssl: true }))
  },
  async expiredInSilence() {
    const sasl = { mechanism: 'scram-sha-256', username: 'a', password: 'b' } as const
    const times = { deliveryTimeoutMs: 600, requestTimeoutMs: 200, connectTimeoutMs: 200 }
    const producer = new Producer({ ...options, ...times, sasl })
    await sendAndTell(producer)
    await producer.close({ timeoutMs: 0 })
  },
  async expiredInFlight() {
    await sendAndTell(new Producer({ ...options, deliveryTimeoutMs: 300, requestTimeoutMs: 60_000 }))
  },
  async aborted() {
    const producer = new Producer({ ...options, retryBackoffMs: 60_000, retryBackoffMaxMs: 60_000 })
    await sendAndTell(producer, 'x', AbortSignal.timeout(300))
  },
  async brokerLost() {
    // It holds for the first one too, which a busy machine takes its time for.
    const producer = new Producer({ ...options, deliveryTimeoutMs: 6_000 })
    // Else the process is told that its message waits.
    producer.on('warning', () => undefined)
    await sendAndTell(producer, 'first')
    print('stop the broker')
    process.stdin.once('data', () => {
      process.stdin.destroy()
      void sendAndTell(producer, 'second')
    })
  },
  async transactionsInLine() {
    const producer = new TransactionalProducer({ ...options, transactionalId: 'in line', transactionTimeoutMs: 1_000 })
    // The first is never ended: the second begins when its time is over.
    const [first, second] = [producer.begin(), producer.begin()]
    await first
    await (await second).abort()
    await producer.close()
  },
  async transactionLeftOpen() {
    const producer = new TransactionalProducer({ ...options, transactionalId: 'open', transactionTimeoutMs: 600_000 })
    const tx = await producer.begin()
    await tx.send({ topic: 'orders', value: 'x' })
  },
  async stormAtTheEnd() {
    const line = (_text: string, { event, messages = 0, count = 1 }: LogFields) => {
      if (event === 'failed') print(`${event} ${messages * count}`)
    }
    const logger = { debug: line, info: line, warn: line, error: line }
    const producer = new Producer({ ...options, logger, allowAutoTopicCreation: false, unknownTopicTimeoutMs: 0 })
    const topics = Array.from({ length: 20 }, (_, index) => `none-${index}`)
    await Promise.allSettled(topics.map((topic) => producer.send({ topic, value: 'x' })))
  },
  async acksZero() {
    await sendAndTell(new Producer({ ...options, acks: 0 }))
  },
  async throttled() {
    // A throttling is heeded for as long as a request may take.
    const producer = new Producer({ ...options, requestTimeoutMs: 600_000, deliveryTimeoutMs: 600_000 })
    await sendAndTell(producer, 'first')
    await sendAndTell(producer, 'second', AbortSignal.timeout(500))
  },
}

await programs[what]?.()
print('done')
