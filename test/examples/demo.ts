/**
 * The producer at work: `npm run demo`.
 *
 * Without options it starts a cluster of three brokers in this process, and moves a leader and breaks a broker while the
 * messages flow. `npm run demo -- --brokers host:port --topic t` produces to a real cluster instead, and breaks nothing.
 */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Producer } from '../../src/index.js'
import { EmbeddedKafka } from '../../src/testing/index.js'
import { Ledger, type Check } from './support/ledger.js'
import { Progress } from './support/progress.js'
import { TopicReader, type Offsets } from './support/topic-reader.js'

const USAGE = `Usage: npm run demo [-- [--messages 100000] [--brokers host:port,host:port --topic name]]`
/** Messages per send(), and calls under way at a time. */
const CALL_SIZE = 100
const CALLS_UNDER_WAY = 20
const ELECTION_MS = 200

interface Settings {
  readonly messages: number
  readonly brokers: string | undefined
  readonly topic: string
}

/** A way to send a ledger's messages; returns how long it took, in seconds. */
type Produce = (ledger: Ledger, brokers: string, incidents: readonly Incident[]) => Promise<number>

/** Something that happens once so many messages are acknowledged. */
interface Incident {
  readonly after: number
  /** Whether nothing may be under way when it happens. */
  readonly needsQuiet: boolean
  happen(): Promise<string>
}

async function main({ messages, brokers, topic }: Settings): Promise<boolean> {
  const ledger = (name: string) => new Ledger(name, randomBytes(6).toString('hex'), messages)
  if (brokers !== undefined) return run(ledger(topic), brokers, produceAll, [])
  const queued = `${topic}-async`
  const kafka = await EmbeddedKafka.start({
    brokers: 3,
    topics: { [topic]: { partitions: 6 }, [queued]: { partitions: 6 } },
  })
  try {
    console.log(`Three embedded brokers at ${kafka.bootstrap}; topic '${topic}' with 6 partitions, 3 replicas each`)
    const isSyncGood = await run(ledger(topic), kafka.bootstrap, produceAll, incidents(kafka, topic, messages))
    console.log(`\nThe same in async mode, to topic '${queued}': send() says "queued", onDelivery tells each fate`)
    return (await run(ledger(queued), kafka.bootstrap, queueAll, [])) && isSyncGood
  } finally {
    await kafka.stop()
  }
}

function incidents(kafka: EmbeddedKafka, topic: string, messages: number): Incident[] {
  return [
    {
      after: messages * 0.3,
      needsQuiet: false,
      happen: async () => {
        const from = kafka.leaderOf(topic, 0)
        const to = (from % 3) + 1
        kafka.moveLeader(topic, 0, to)
        return `  partition 0 moved from broker ${from} to broker ${to}, with messages under way`
      },
    },
    {
      // With messages under way it would be anyone's guess which of them the broker still wrote: a producer without
      // idempotence must send those again, and one of them may then be there twice.
      after: messages * 0.6,
      needsQuiet: true,
      happen: async () => {
        const broker = kafka.leaderOf(topic, 1)
        await kafka.stopBroker(broker, { electionMs: ELECTION_MS })
        return `  broker ${broker} stopped; what it led has no leader for ${ELECTION_MS} ms`
      },
    },
  ]
}

async function run(
  ledger: Ledger,
  brokers: string,
  produce: Produce,
  incidents: readonly Incident[],
): Promise<boolean> {
  const reader = new TopicReader(brokers, ledger.topic)
  try {
    const from = await reader.endOffsets()
    const seconds = await produce(ledger, brokers, incidents)
    await readBack(ledger, reader, from)
    report(ledger, seconds)
    return ledger.checks().every(holds)
  } finally {
    await reader.close()
  }
}

async function produceAll(ledger: Ledger, brokers: string, incidents: readonly Incident[]): Promise<number> {
  const producer = new Producer({ brokers, clientId: 'demo', acks: 'all' })
  const progress = new Progress('sent', ledger.count)
  const underWay = new Set<Promise<void>>()
  const toCome = [...incidents]
  const from = performance.now()
  try {
    for (let first = 0; first < ledger.count && ledger.failure === undefined; first += CALL_SIZE) {
      const [incident] = toCome
      if (incident !== undefined && first >= incident.after) {
        if (incident.needsQuiet) await Promise.all(underWay)
        toCome.shift()
        progress.note(await incident.happen())
      }
      const call = sendCall(producer, ledger, first).then(() => {
        underWay.delete(call)
        progress.update(ledger.acknowledged)
      })
      underWay.add(call)
      if (underWay.size >= CALLS_UNDER_WAY) await Promise.race(underWay)
    }
    await Promise.all(underWay)
    return (performance.now() - from) / 1_000
  } finally {
    await producer.close()
  }
}

async function queueAll(ledger: Ledger, brokers: string): Promise<number> {
  const progress = new Progress('sent', ledger.count)
  const places = new Map<unknown, number>()
  const producer = new Producer({
    brokers,
    clientId: 'demo',
    type: 'async',
    onDelivery({ message, metadata, error }) {
      const place = places.get(message) ?? -1
      places.delete(message)
      if (error === undefined) ledger.wereSent(place, [metadata])
      else ledger.failed(place, error)
      progress.update(ledger.acknowledged)
    },
  })
  const from = performance.now()
  for (let i = 0; i < ledger.count; i++) {
    const message = ledger.message(i)
    places.set(message, i)
    await producer.send(message)
  }
  await producer.close()
  return (performance.now() - from) / 1_000
}

async function sendCall(producer: Producer, ledger: Ledger, first: number): Promise<void> {
  const size = Math.min(CALL_SIZE, ledger.count - first)
  try {
    ledger.wereSent(first, await producer.send(Array.from({ length: size }, (_, i) => ledger.message(first + i))))
  } catch (error) {
    ledger.failed(first, error)
  }
}

async function readBack(ledger: Ledger, reader: TopicReader, from: Offsets): Promise<void> {
  const to = await reader.endOffsets()
  const total = [...to].reduce((sum, [partition, end]) => sum + Number(end - (from.get(partition) ?? 0n)), 0)
  const progress = new Progress('read', total)
  let done = 0
  for (const [partition, end] of to) {
    for await (const record of reader.records(partition, from.get(partition) ?? 0n, end)) {
      ledger.wasRead(partition, record)
      progress.update(++done)
    }
  }
}

function report(ledger: Ledger, seconds: number): void {
  const rows = ledger.checks()
  const width = Math.max(...rows.map(({ name }) => name.length))
  const number = (value: number): string => value.toLocaleString('en').padStart(10)
  console.log(`\n${''.padEnd(width)}  ${'expected'.padStart(10)}  ${'found'.padStart(10)}`)
  for (const row of rows) {
    console.log(
      `${row.name.padEnd(width)}  ${number(row.expected)}  ${number(row.found)}  ${holds(row) ? 'ok' : 'WRONG'}`,
    )
  }
  if (ledger.failure !== undefined) console.log('\nStopped at', ledger.failure)
  if (ledger.foreign > 0) console.log(`${ledger.foreign.toLocaleString('en')} messages of others were passed over`)
  const rate = Math.round(ledger.acknowledged / seconds).toLocaleString('en')
  const megabytes = (ledger.bytes / seconds / 1e6).toFixed(1)
  console.log(`\n${rate} messages/s, ${megabytes} MB/s of keys and values, each acknowledged by all replicas in sync`)
}

function holds({ expected, found }: Check): boolean {
  return expected === found
}

function settingsOf(args: string[]): Settings {
  const { values } = parseArgs({
    args,
    options: {
      messages: { type: 'string', default: '100000' },
      brokers: { type: 'string' },
      topic: { type: 'string' },
    },
  })
  const messages = Number(values.messages)
  if (!Number.isInteger(messages) || messages < 1)
    throw new Error(`--messages: a whole number from 1, not '${values.messages}'`)
  if (values.brokers !== undefined && values.topic === undefined) throw new Error('--brokers needs --topic')
  return { messages, brokers: values.brokers, topic: values.topic ?? 'demo' }
}

function settingsOrExit(): Settings {
  try {
    return settingsOf(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    process.exit(2)
  }
}

main(settingsOrExit()).then(
  (ok) => {
    process.exitCode = ok ? 0 : 1
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  },
)
