/**
 * Many messages through a small bound, in async mode:
 *
 *   npm run test:volume -- --release 4 [--messages 10000000] [--bytes 100]
 *   npm run test:volume -- --embedded
 *
 * Counts at an independent consumer (kcat) what arrived, and watches the memory of this process: after the first fifth
 * it must not grow by more than a tenth.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Producer } from '../../src/index.js'
import { ensureKcat, kcatFlags } from './support/kcat.js'
import { RealKafka } from './support/real-kafka.js'
import { findRelease } from './support/releases.js'

const TOPIC = 'volume'
const QUEUE_BYTES = 64 * 1024 * 1024
const PARTITIONS = 6
const MB = 1024 * 1024

interface Broker {
  readonly name: string
  readonly bootstrap: string
  /** Arguments that kcat needs for this broker. */
  readonly kcat: readonly string[]
  stop(): Promise<unknown>
}

async function realBroker(name: string): Promise<Broker> {
  const release = findRelease(name)
  const kafka = await RealKafka.start({ release: release.version, topics: { [TOPIC]: { partitions: PARTITIONS } } })
  return {
    name: `Kafka ${release.version}`,
    bootstrap: kafka.bootstrap,
    kcat: kcatFlags(release.version),
    stop: () => kafka.stop(),
  }
}

/** In a process of its own, so that the memory watched here is the producer's alone. */
async function embeddedBroker(bytesInAll: number): Promise<Broker> {
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      new URL('./support/embedded-process.ts', import.meta.url).pathname,
      TOPIC,
      String(PARTITIONS),
      String(bytesInAll),
    ],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const [bootstrap] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { name: 'the embedded Kafka', bootstrap, kcat: [], stop: async () => void child.kill() }
}

async function countWithKcat(broker: Broker): Promise<number> {
  const child = spawn(
    'kcat',
    ['-C', '-b', broker.bootstrap, '-t', TOPIC, '-o', 'beginning', '-e', '-q', '-f', '%p\n', ...broker.kcat],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let lines = 0
  for await (const chunk of child.stdout) for (const byte of chunk as Buffer) if (byte === 10) lines++
  return lines
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      release: { type: 'string', default: '4' },
      embedded: { type: 'boolean', default: false },
      messages: { type: 'string', default: '10000000' },
      bytes: { type: 'string', default: '100' },
    },
  })
  const total = Number(values.messages)
  const value = Buffer.alloc(Number(values.bytes), 'v')
  await ensureKcat()
  const broker = await (values.embedded ? embeddedBroker(total * (value.length + 20)) : realBroker(values.release))
  try {
    let delivered = 0
    let failed = 0
    const producer = new Producer({
      brokers: broker.bootstrap,
      type: 'async',
      queueBytes: QUEUE_BYTES,
      enqueueTimeoutMs: -1,
      onDelivery: ({ error }) => void (error === undefined ? delivered++ : failed++),
    })
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const rss: number[] = []
    let mostHeld = 0
    const start = performance.now()
    for (let i = 0; i < total; i++) {
      await producer.send({ topic: TOPIC, value })
      if (i % Math.ceil(total / 50) === 0) {
        rss.push(process.memoryUsage.rss() / MB)
        mostHeld = Math.max(mostHeld, producer.stats().queueBytes)
      }
    }
    await producer.flush()
    const seconds = (performance.now() - start) / 1000
    delay.disable()
    await producer.close()
    const counted = await countWithKcat(broker)
    const fifth = Math.ceil(rss.length / 5)
    const [early, late] = [Math.max(...rss.slice(0, fifth)), Math.max(...rss.slice(fifth))]
    console.log(
      `${broker.name}: ${total} messages of ${value.length} bytes in ${seconds.toFixed(1)} s (${Math.round(total / seconds)} a second)`,
    )
    console.log(`delivered ${delivered}, failed ${failed}, counted by kcat ${counted}`)
    console.log(
      `most held ${(mostHeld / MB).toFixed(1)} of ${QUEUE_BYTES / MB} MB; RSS at most ${early.toFixed(0)} MB in the first fifth, ${late.toFixed(0)} MB after it`,
    )
    console.log(
      `event loop delay: p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, at most ${(delay.max / 1e6).toFixed(1)} ms`,
    )
    const checks = {
      delivered: delivered === total,
      counted: counted === total,
      bounded: mostHeld <= QUEUE_BYTES,
      flat: late <= early * 1.1,
    }
    const wrong = Object.entries(checks)
      .filter(([, holds]) => !holds)
      .map(([name]) => name)
    console.log(wrong.length === 0 ? 'all as it should be' : `NOT as it should be: ${wrong.join(', ')}`)
    if (wrong.length > 0) process.exitCode = 1
  } finally {
    await broker.stop()
  }
}

await main()
