import { afterEach, describe, expect, it } from 'vitest'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { kcat } from './support/kcat.js'

const RELEASES = ['0.8.2', '0.9', '0.10.2', '0.11', '1.1', '2.8', '3.9', '4']

describe.each(RELEASES)('kcat against an embedded Kafka %s', (release) => {
  let kafka: EmbeddedKafka

  afterEach(async () => {
    await kafka.stop()
  })

  async function start(): Promise<void> {
    kafka = await EmbeddedKafka.start({ release, brokers: 3, topics: { orders: { partitions: 4 } } })
  }

  it('produces what can be read back', async () => {
    await start()
    const lines = Array.from({ length: 500 }, (_, i) => `key-${i}:value-${i}`)
    await kcat(release, ['-P', '-b', kafka.bootstrap, '-t', 'orders', '-K:'], lines.join('\n'))
    const stored = kafka.records('orders').map(({ key, value }) => `${key?.toString()}:${value?.toString()}`)
    expect(stored.sort()).toEqual([...lines].sort())
    const read = await kcat(release, ['-C', '-b', kafka.bootstrap, '-t', 'orders', '-e', '-q', '-f', '%k:%s\n'])
    expect(read.stdout.trim().split('\n').sort()).toEqual([...lines].sort())
  })

  it('lists the cluster', async () => {
    await start()
    const { stdout } = await kcat(release, ['-L', '-b', kafka.bootstrap])
    expect(stdout).toContain('3 brokers:')
    for (const { id, port } of kafka.brokers) expect(stdout).toContain(`broker ${id} at 127.0.0.1:${port}`)
    expect(stdout).toContain('topic "orders" with 4 partitions')
    for (let partition = 0; partition < 4; partition++) {
      expect(stdout).toContain(`partition ${partition}, leader ${kafka.leaderOf('orders', partition)}, replicas`)
    }
  })
})
