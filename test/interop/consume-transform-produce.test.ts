import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../src/index.js'
import { startKafka } from '../embedded/support/cluster.js'
import { until } from '../embedded/support/producers.js'
import { committed } from '../embedded/support/transactional.js'
import { installKafkajs, startTransformer } from './support/kafkajs.js'

const MESSAGES = 400
/** What the program has asked when it is killed: before the broker acts on it, or after. */
const KILLED_AT = [
  ['Produce', 'before'],
  ['Produce', 'after'],
  ['TxnOffsetCommit', 'before'],
  ['TxnOffsetCommit', 'after'],
  ['EndTxn', 'before'],
  ['EndTxn', 'after'],
] as const

describe.each(['2.8', '4'])('consume, transform, produce on an embedded Kafka %s', (release) => {
  beforeAll(installKafkajs, 60_000)

  it('has each result once, however often the program is killed', { timeout: 300_000 }, async () => {
    const kafka = await startKafka({
      release,
      brokers: 2,
      minSessionTimeoutMs: 500,
      topics: { in: { partitions: 2 }, out: { partitions: 3 } },
    })
    await using producer = new Producer({ brokers: kafka.bootstrap })
    await producer.send(
      Array.from({ length: MESSAGES }, (_, i) => ({ topic: 'in', key: `k${i}`, value: `value-${i}` })),
    )
    let running: ChildProcess | undefined
    onTestFinished(() => void running?.kill('SIGKILL'))
    for (const [api, moment] of KILLED_AT) {
      const inTheMidst = kafka.stall({ api, clientId: 'transformer', times: Infinity }, moment)
      running = startTransformer(kafka.bootstrap)
      const ended = once(running, 'exit')
      // On a busy machine its sources alone may take half a minute to be loaded the first time.
      await inTheMidst.hit(1, 90_000)
      running.kill('SIGKILL')
      await ended
      inTheMidst.release()
    }
    running = startTransformer(kafka.bootstrap)
    await until(() => committed(kafka, 'out').length >= MESSAGES, 'all results', 60_000)
    running.kill('SIGKILL')
    const expected = Array.from({ length: MESSAGES }, (_, i) => `VALUE-${i}`)
    expect(committed(kafka, 'out').sort()).toEqual(expected.sort())
  })
})
