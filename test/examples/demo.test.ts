import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RecordMetadata } from '../../src/index.js'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { Ledger } from './support/ledger.js'
import { TopicReader } from './support/topic-reader.js'

const DEMO = fileURLToPath(new URL('demo.ts', import.meta.url))
/** Each test starts processes, and a busy machine takes its time for that. */
const PATIENCE_MS = 120_000
vi.setConfig({ testTimeout: PATIENCE_MS })

const TSX = fileURLToPath(import.meta.resolve('tsx/cli'))

interface Outcome {
  readonly code: number | null
  readonly output: string
}

function demo(...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [TSX, DEMO, ...args], { timeout: PATIENCE_MS / 2 })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

describe('npm run demo', () => {
  let kafka: EmbeddedKafka | undefined

  afterEach(async () => {
    await kafka?.stop()
    kafka = undefined
  })

  it('moves a leader, stops a broker, and finds every message once and in order', async () => {
    const { code, output } = await demo('--messages', '3000')
    expect(output).toMatch(/partition 0 moved from broker \d to broker \d/)
    expect(output).toMatch(/broker \d stopped/)
    expect(output).toMatch(/read back +3,000 +3,000 +ok/)
    expect(output).not.toContain('WRONG')
    // Written to no terminal: nothing in it moves a cursor.
    expect(output).not.toContain('\r')
    expect(output).not.toContain('\x1b')
    expect(code).toBe(0)
  })

  it.each(['0.8.2', '0.11', '4'])('does the same on a cluster that exists, of Kafka %s', async (release) => {
    kafka = await EmbeddedKafka.start({ release, brokers: 2, topics: { mine: { partitions: 3 } } })
    for (const run of [1, 2]) {
      const { code, output } = await demo('--brokers', kafka.bootstrap, '--topic', 'mine', '--messages', '500')
      expect(output).toMatch(/read back +500 +500 +ok/)
      expect(code).toBe(0)
      expect(kafka.records('mine')).toHaveLength(500 * run)
    }
  })

  it('ends with 1 where messages fail', async () => {
    kafka = await EmbeddedKafka.start({ topics: { mine: {} } })
    kafka.fail({ api: 'Produce', topic: 'mine' }, 'TOPIC_AUTHORIZATION_FAILED')
    const { code, output } = await demo('--brokers', kafka.bootstrap, '--topic', 'mine', '--messages', '100')
    expect(output).toMatch(/acknowledged +100 +0 +WRONG/)
    expect(output).toContain('TOPIC_AUTHORIZATION_FAILED')
    expect(code).toBe(1)
  })

  it.each([
    ['--mesages', '5'],
    ['--messages', '0'],
    ['--brokers', 'localhost:1'],
  ])('refuses %s %s', async (...args) => {
    const { code, output } = await demo(...args)
    expect(output).toContain('Usage: npm run demo')
    expect(code).toBe(2)
  })
})

describe('the checks of the demo', () => {
  const record = (ledger: Ledger, index: number, offset = BigInt(index)) => {
    const { key, value } = ledger.message(index)
    return { offset, timestamp: 0, key: Buffer.from(key), value: Buffer.from(value), headers: [] }
  }
  const sent = (count: number): Ledger => {
    const ledger = new Ledger('t', 'run', count, 2)
    ledger.wereSent(
      0,
      Array.from({ length: count }, (_, i) => new RecordMetadata('t', 0, BigInt(i), 0, true)),
    )
    return ledger
  }
  const wrong = (ledger: Ledger): string[] =>
    ledger
      .checks()
      .filter(({ expected, found }) => expected !== found)
      .map(({ name }) => name)

  it('pass where all is well', () => {
    const ledger = sent(4)
    for (const index of [0, 1, 2, 3]) ledger.wasRead(0, record(ledger, index))
    expect(wrong(ledger)).toEqual([])
  })

  it('find a message that is missing', () => {
    const ledger = sent(4)
    for (const index of [0, 1, 3]) ledger.wasRead(0, record(ledger, index))
    expect(wrong(ledger)).toEqual(['read back', 'missing'])
  })

  it('find a message that is there twice', () => {
    const ledger = sent(2)
    for (const index of [0, 1, 1]) ledger.wasRead(0, record(ledger, index))
    expect(wrong(ledger)).toEqual(['read back', 'read more than once', 'out of order within their key'])
  })

  it('find messages of a key out of order', () => {
    const ledger = sent(4)
    for (const index of [2, 0, 1, 3]) ledger.wasRead(0, record(ledger, index))
    expect(wrong(ledger)).toEqual(['out of order within their key'])
  })

  it('find a message elsewhere than the producer said, or other than it was sent', () => {
    const ledger = sent(3)
    ledger.wasRead(1, record(ledger, 0))
    ledger.wasRead(0, record(ledger, 1, 7n))
    ledger.wasRead(0, { ...record(ledger, 2), key: Buffer.from('other') })
    expect(ledger.checks().at(-1)).toMatchObject({ expected: 0, found: 3 })
  })

  it('pass over messages of others', () => {
    const ledger = sent(1)
    ledger.wasRead(0, record(ledger, 0))
    ledger.wasRead(0, { ...record(ledger, 0), value: Buffer.from('somebody else') })
    ledger.wasRead(0, { ...record(ledger, 0), value: null })
    expect(wrong(ledger)).toEqual([])
    expect(ledger.foreign).toBe(2)
  })
})

describe('the reader of the demo', () => {
  it('follows a partition to its new leader', async () => {
    await using kafka = await EmbeddedKafka.start({ brokers: 2, topics: { mine: {} } })
    const reader = new TopicReader(kafka.bootstrap, 'mine')
    try {
      expect(await reader.endOffsets()).toEqual(new Map([[0, 0n]]))
      const from = kafka.leaderOf('mine', 0)
      kafka.moveLeader('mine', 0, from === 1 ? 2 : 1)
      await kafka.stopBroker(from)
      expect(await reader.endOffsets()).toEqual(new Map([[0, 0n]]))
    } finally {
      await reader.close()
    }
  })
})
