import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, type TestContext } from 'vitest'
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js'
import { blackHole } from '../support/black-hole.js'
import { deadAddress, plainServer } from '../support/producers.js'

/*
 * Sockets and timers keep a process alive only while a message is unsettled. Starting one takes a while, so that these
 * run side by side, each with what it needs tied to its own context.
 */

type Finishing = Pick<TestContext, 'onTestFinished'>

async function startKafka({ onTestFinished }: Finishing, options: EmbeddedKafkaOptions): Promise<EmbeddedKafka> {
  const kafka = await EmbeddedKafka.start(options)
  onTestFinished(() => kafka.stop())
  return kafka
}

const PROGRAM = fileURLToPath(new URL('../support/programs/producer-program.ts', import.meta.url))

interface Run {
  readonly exited: Promise<string[]>
  line(text: string): Promise<void>
  say(): void
  kill(): void
}

/** Resolves with what the program printed once it has exited by itself; nothing ever ends it but the end of the test. */
function run({ onTestFinished }: Finishing, what: string, brokers: string): Run {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, what, brokers], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const lines = () => output.split('\n').filter((line) => line !== '')
  return {
    exited: once(child, 'close').then(([code]) => {
      expect([code, errors]).toEqual([0, ''])
      return lines()
    }),
    async line(text) {
      while (!lines().includes(text)) await once(child.stdout, 'data')
    },
    say: () => void child.stdin.end('go on\n'),
    kill: () => void child.kill('SIGKILL'),
  }
}

it.concurrent('a process that only imported and constructed exits', async (context) => {
  expect(await run(context, 'constructed', await deadAddress()).exited).toEqual(['done'])
})

it.concurrent('a process that ends by itself has told its log what it had not told yet', async (context) => {
  const kafka = await startKafka(context, {})
  const lines = await run(context, 'stormAtTheEnd', kafka.bootstrap).exited
  const failed = lines.filter((line) => line !== 'done').map((line) => Number(line.replace('failed ', '')))
  expect(failed.reduce((sum, messages) => sum + messages, 0)).toBe(20)
})

it.concurrent('a process goes on while a transaction waits for one that was never ended', async (context) => {
  const kafka = await startKafka(context, {})
  expect(await run(context, 'transactionsInLine', kafka.bootstrap).exited).toEqual(['done'])
})

it.concurrent('a process exits that leaves a transaction open, and does not stay for its time-out', async (context) => {
  const kafka = await startKafka(context, {})
  expect(await run(context, 'transactionLeftOpen', kafka.bootstrap).exited).toEqual(['done'])
})

it.concurrent(
  'a process exits after close(), also where connections were given up with questions on them',
  async (context) => {
    const { address } = await plainServer(() => undefined, context.onTestFinished)
    expect(await run(context, 'expiredInSilence', address).exited).toEqual(['DELIVERY_TIMEOUT', 'done'])
  },
)

it.concurrent('a process whose sends have settled exits without close()', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  expect(await run(context, 'sent', kafka.bootstrap).exited).toEqual(['sent x', 'done'])
})

it.concurrent.for([
  ['over streams that it gave itself', 'sentOverOwnStream'],
  ['and is told statistics at some later time', 'sentWithStatistics'],
] as const)('a process exits that has sent %s', async ([, what], context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  expect(await run(context, what, kafka.bootstrap).exited).toEqual(['sent x', 'done'])
})

it.concurrent('a process exits that has metrics to push later', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} }, clientMetrics: {} })
  expect(await run(context, 'sent', kafka.bootstrap).exited).toEqual(['sent x', 'done'])
  expect(kafka.requests.map(({ api }) => api)).toContain('GetTelemetrySubscriptions')
})

it.concurrent('a process with a message under way stays until it has its fate', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  const stall = kafka.stall({ api: 'Produce' })
  const program = run(context, 'unsettled', kafka.bootstrap)
  await stall.hit(1, 25_000)
  await program.line('done')
  stall.release()
  expect(await program.exited).toEqual(['done', 'sent x'])
})

it.concurrent(
  'a process that is killed has told nobody of what was on its way, which may be there',
  async (context) => {
    const kafka = await startKafka(context, { topics: { orders: {} } })
    const stall = kafka.stall({ api: 'Produce' })
    const program = run(context, 'unsettled', kafka.bootstrap)
    await stall.hit(1, 25_000)
    await program.line('done')
    const killed = expect(program.exited).rejects.toThrow()
    program.kill()
    await killed
    stall.release()
    await kafka.waitForRecords('orders', 1)
  },
)

it.concurrent('acks 0: a process exits once the bytes are handed on, and they arrive', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  expect(await run(context, 'acksZero', kafka.bootstrap).exited).toEqual(['sent x', 'done'])
  await kafka.waitForRecords('orders', 1)
})

it.concurrent('after messages have waited for room', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  expect(await run(context, 'backPressure', kafka.bootstrap).exited).toEqual(['sent 1', 'sent 2', 'sent 3', 'done'])
})

it.concurrent('after a message has expired for want of a broker', async (context) => {
  expect(await run(context, 'expired', await deadAddress()).exited).toEqual(['DELIVERY_TIMEOUT', 'done'])
})

it.concurrent('after a message has expired while a server accepts and is silent', async (context) => {
  const silent = await plainServer(() => undefined, context.onTestFinished)
  expect(await run(context, 'expired', silent.address).exited).toEqual(['DELIVERY_TIMEOUT', 'done'])
})

it.concurrent('after a message has expired while an address is silent', async (context) => {
  const silent = await blackHole({}, context.onTestFinished)
  expect(await run(context, 'expiredConnecting', silent.address).exited).toEqual(['DELIVERY_TIMEOUT', 'done'])
})

it.concurrent('after a message has expired during a TLS handshake', async (context) => {
  const silent = await plainServer(() => undefined, context.onTestFinished)
  expect(await run(context, 'expiredInHandshake', silent.address).exited).toEqual(['DELIVERY_TIMEOUT', 'done'])
})

it.concurrent('after a message has expired in flight, though its broker still owes the answer', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  kafka.stall({ api: 'Produce' })
  expect(await run(context, 'expiredInFlight', kafka.bootstrap).exited).toEqual(['DELIVERY_TIMEOUT', 'done'])
})

it.concurrent('after a message was taken out during a long wait', async (context) => {
  const kafka = await startKafka(context, { autoCreateTopics: false })
  expect(await run(context, 'aborted', kafka.bootstrap).exited).toEqual(['ABORTED', 'done'])
})

it.concurrent('after the last broker was lost with a message under way', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  const program = run(context, 'brokerLost', kafka.bootstrap)
  await program.line('stop the broker')
  await kafka.stopBroker(1)
  program.say()
  expect(await program.exited).toEqual(['sent first', 'stop the broker', 'done', 'DELIVERY_TIMEOUT'])
})

it.concurrent('while its broker throttles it for an hour', async (context) => {
  const kafka = await startKafka(context, { topics: { orders: {} } })
  kafka.throttle({ api: 'Produce' }, 3_600_000)
  expect(await run(context, 'throttled', kafka.bootstrap).exited).toEqual(['sent first', 'ABORTED', 'done'])
})
