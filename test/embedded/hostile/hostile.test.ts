import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, type TestContext } from 'vitest'
import { DeliveryError, Producer, type ProducerOptions } from '../../../src/index.js'
import { HostileServer, MANNERS, METADATA_MANNERS } from '../support/hostile-servers.js'

const CODES = /^(DELIVERY_TIMEOUT|CONNECTION_FAILED|TLS_FAILED|AUTHENTICATION_FAILED)$/

const ALL_MANNERS = { ...MANNERS, ...METADATA_MANNERS }

// Each waits for its deadline, so they wait side by side.

async function suffer(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  manner: string,
  saysVersions: boolean,
  options: Partial<ProducerOptions> = {},
): Promise<DeliveryError> {
  const hostile = await HostileServer.start(ALL_MANNERS[manner] as (typeof MANNERS)[string], { saysVersions })
  onTestFinished(() => hostile.stop())
  const producer = new Producer({
    brokers: hostile.address,
    requestTimeoutMs: 300,
    connectTimeoutMs: 300,
    deliveryTimeoutMs: 1_000,
    ...options,
  })
  const before = process.memoryUsage().rss
  const began = performance.now()
  const error: unknown = await producer.send({ topic: 't', value: 'v' }).catch((cause: unknown) => cause)
  expect(performance.now() - began).toBeLessThan(20_000)
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
  await producer.close({ timeoutMs: 0 })
  for (let i = 0; hostile.sockets.size > 0 && i < 100; i++) await sleep(20)
  expect(hostile.sockets.size).toBe(0)
  expect(error).toBeInstanceOf(DeliveryError)
  return error as DeliveryError
}

describe.concurrent.each(Object.keys(MANNERS))('a peer that %s', (manner) => {
  it.for([
    ['at once', false],
    ['after it has said its versions', true],
  ] as const)('%s', async ([, saysVersions], test) => {
    const error = await suffer(test, manner, saysVersions)
    expect(error.code).toMatch(CODES)
    expect(error.mayHaveBeenWritten).toBe(false)
  })

  it('where TLS is expected', async (test) => {
    expect((await suffer(test, manner, false, { ssl: true })).code).toMatch(CODES)
  })

  it('where credentials are expected', async (test) => {
    const error = await suffer(test, manner, true, {
      sasl: { mechanism: 'scram-sha-256', username: 'a', password: 'S3CRET' },
    })
    expect(error.code).toMatch(CODES)
    expect(error.message).not.toContain('S3CRET')
  })
})

it.concurrent.for(Object.keys(METADATA_MANNERS))('a peer that %s', async (manner, test) => {
  expect((await suffer(test, manner, true)).code).toBe('DELIVERY_TIMEOUT')
})
