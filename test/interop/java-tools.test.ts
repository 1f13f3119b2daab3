import { beforeAll, describe, expect, it } from 'vitest'
import { startKafka } from '../embedded/support/cluster.js'
import { install } from '../kafka/support/install.js'
import { findRelease } from '../kafka/support/releases.js'
import { javaTool } from './support/java-tool.js'

const LINES = Array.from({ length: 50 }, (_, i) => `value-${i}`)

describe.each(['2.8', '4'])("Kafka's own tools against an embedded Kafka %s", (release) => {
  beforeAll(async () => void (await install(findRelease('3.9'))), 180_000)

  it('console producer and console consumer, which reads in a group', { timeout: 120_000 }, async () => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 3 } } })
    const where = ['--bootstrap-server', kafka.bootstrap, '--topic', 'orders']
    await javaTool('kafka.tools.ConsoleProducer', [...where, '--compression-codec', 'lz4'], LINES.join('\n'))
    expect((await kafka.waitForRecords('orders', LINES.length)).map(({ value }) => value?.toString()).sort()).toEqual(
      [...LINES].sort(),
    )
    const limits = ['--max-messages', String(LINES.length), '--timeout-ms', '30000']
    const reading = ['--from-beginning', '--group', 'readers', '--consumer-property', 'isolation.level=read_committed']
    const printed = await javaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [...where, ...limits, ...reading])
    expect(printed.trim().split('\n').sort()).toEqual([...LINES].sort())
    expect(kafka.committedOffsets('readers').reduce((sum, { offset }) => sum + offset, 0n)).toBe(BigInt(LINES.length))
  })

  it('verifiable producer', { timeout: 120_000 }, async () => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 3 } } })
    const args = ['--bootstrap-server', kafka.bootstrap, '--topic', 'orders', '--max-messages', '200', '--acks', '-1']
    const printed = await javaTool('org.apache.kafka.tools.VerifiableProducer', args)
    expect(printed.split('\n').filter((line) => line.includes('"producer_send_success"'))).toHaveLength(200)
    expect(kafka.records('orders')).toHaveLength(200)
  })

  it('producer performance test, in transactions', { timeout: 120_000 }, async () => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 3 } } })
    const load = ['--num-records', '3000', '--record-size', '100', '--throughput', '-1']
    const transactions = ['--transactional-id', 'perf', '--transaction-duration-ms', '50']
    const where = ['--topic', 'orders', '--producer-props', `bootstrap.servers=${kafka.bootstrap}`]
    const printed = await javaTool('org.apache.kafka.tools.ProducerPerformance', [...load, ...transactions, ...where])
    expect(printed).toMatch(/3000 records sent/)
    expect(kafka.records('orders', { isolation: 'read_committed' })).toHaveLength(3_000)
    expect(kafka.transactions).toMatchObject([{ state: 'CompleteCommit' }])
  })
})
