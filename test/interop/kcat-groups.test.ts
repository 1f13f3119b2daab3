import { describe, expect, it } from 'vitest'
import { startKafka } from '../embedded/support/cluster.js'
import { kcat } from './support/kcat.js'

const LINES = Array.from({ length: 60 }, (_, i) => `value-${i}`)

describe.each(['0.9', '0.11', '2.8', '4'])('kcat in a consumer group of an embedded Kafka %s', (release) => {
  it('reads all partitions, leaves in order, and goes on where it was', { timeout: 60_000 }, async () => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 3 } } })
    const read = async (count: number): Promise<string[]> => {
      const settings = ['-X', 'auto.offset.reset=earliest', '-X', 'heartbeat.interval.ms=100']
      const args = ['-b', kafka.bootstrap, ...settings, '-q', '-c', String(count), '-G', 'readers', 'orders']
      return (await kcat(release, args)).stdout.trim().split('\n')
    }
    await kcat(release, ['-P', '-b', kafka.bootstrap, '-t', 'orders'], LINES.slice(0, 40).join('\n'))
    expect((await read(40)).sort()).toEqual(LINES.slice(0, 40).sort())
    expect(kafka.groups).toMatchObject([{ id: 'readers', state: 'Empty' }])
    const committed = kafka.committedOffsets('readers').reduce((sum, { offset }) => sum + offset, 0n)
    expect(committed).toBe(40n)
    await kcat(release, ['-P', '-b', kafka.bootstrap, '-t', 'orders'], LINES.slice(40).join('\n'))
    expect((await read(20)).sort()).toEqual(LINES.slice(40).sort())
  })
})

describe.each(['0.11', '2.8', '3.9', '4'])('a transactional kcat against an embedded Kafka %s', (release) => {
  it('commits what a reader of committed messages then reads', { timeout: 60_000 }, async () => {
    const kafka = await startKafka({ release, brokers: 2, topics: { orders: { partitions: 3 } } })
    await kcat(release, ['-P', '-b', kafka.bootstrap, '-t', 'orders', '-X', 'transactional.id=tx'], LINES.join('\n'))
    expect(kafka.transactions).toMatchObject([{ id: 'tx', state: 'CompleteCommit' }])
    const stored = kafka.records('orders', { isolation: 'read_committed' })
    expect(stored.map(({ value }) => value?.toString()).sort()).toEqual([...LINES].sort())
    expect(stored.every(({ isTransactional }) => isTransactional)).toBe(true)
    const settings = ['-X', 'isolation.level=read_committed']
    const read = await kcat(release, ['-C', '-b', kafka.bootstrap, '-t', 'orders', '-e', '-q', ...settings])
    expect(read.stdout.trim().split('\n').sort()).toEqual([...LINES].sort())
  })
})
