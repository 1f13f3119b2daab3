import { describe, expect, it, onTestFinished } from 'vitest'
import { SessionFactory } from '../../../src/network/session/session.js'
import { AnyBroker } from '../../../src/producer/brokers/any-broker.js'
import { BrokerPartitionInfo } from '../../../src/producer/brokers/broker-partition-info.js'
import { parseBrokers } from '../../../src/producer/config/broker-list.js'
import { RetryPolicy } from '../../../src/producer/queues/retry-policy.js'
import { ProducerIdentity } from '../../../src/producer/transactions/producer-identity.js'
import { SYSTEM } from '../../../src/surroundings.js'
import type { EmbeddedKafka } from '../../../src/testing/index.js'
import { startKafka } from '../support/cluster.js'
import { deadAddress, requestsOf } from '../support/producers.js'

/** What asks for the identity, and for metadata on the same connection. */
function startIdentity(bootstrap: string) {
  const brokers = parseBrokers(bootstrap, 'brokers', 'addresses')
  const sessions = new SessionFactory({
    brokers,
    clientId: 'test',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
    maxIdleMs: 60_000,
    softwareVersion: '1.0.0',
    legacyOnly: false,
  })
  sessions.retain()
  const anyBroker = new AnyBroker(sessions, brokers, SYSTEM)
  const info = new BrokerPartitionInfo(
    sessions,
    anyBroker,
    {
      requestTimeoutMs: 5_000,
      retryBackoffMs: 5,
      metadataRefreshIntervalMs: 0,
      metadataMaxIdleMs: 60_000,
      allowAutoTopicCreation: false,
    },
    SYSTEM,
  )
  const pacing = new RetryPolicy({ retries: Infinity, retryBackoffMs: 5, retryBackoffMaxMs: 20 }, SYSTEM)
  const identity = new ProducerIdentity(anyBroker, pacing, 5_000)
  onTestFinished(async () => {
    pacing.close()
    info.close()
    await sessions.close(0)
  })
  return { identity, info }
}

function questionsTo(kafka: EmbeddedKafka): number[] {
  return requestsOf(kafka, 'InitProducerId').map(({ broker }) => broker)
}

describe('the identity of an idempotent producer', () => {
  it.each(['0.11', '1.1', '2.8', '3.9', '4'] as const)('is what any broker of Kafka %s gives', async (release) => {
    const kafka = await startKafka({ release })
    const { identity } = startIdentity(kafka.bootstrap)
    const { producerId, epoch } = (await identity.whenKnown()) ?? {}
    expect(producerId).toBeGreaterThanOrEqual(0n)
    expect(epoch).toBe(0)
  })

  it.each([14, 15, 16, 7, -1, 8])('is asked of the next broker where one answers error %i', async (code) => {
    const kafka = await startKafka({ brokers: 2 })
    const { identity } = startIdentity(kafka.bootstrap)
    kafka.fail({ api: 'InitProducerId' }, code)
    await expect(identity.whenKnown()).resolves.toBeDefined()
    const [first, second, ...more] = questionsTo(kafka)
    expect(more).toEqual([])
    expect(first).not.toBe(second)
  })

  it('is asked for again where all answer that they are not ready', async () => {
    const kafka = await startKafka()
    const { identity } = startIdentity(kafka.bootstrap)
    kafka.fail({ api: 'InitProducerId', times: 3 }, 14)
    await expect(identity.whenKnown()).resolves.toBeDefined()
    expect(questionsTo(kafka)).toHaveLength(4)
    expect(requestsOf(kafka, 'ApiVersions')).toHaveLength(1)
  })

  it('is asked elsewhere where a broker hangs up', async () => {
    const kafka = await startKafka({ brokers: 2 })
    const { identity } = startIdentity(kafka.bootstrap)
    kafka.cut({ api: 'InitProducerId' })
    await expect(identity.whenKnown()).resolves.toBeDefined()
  })

  it.each([
    [31, 'unauthorized', 'CLUSTER_AUTHORIZATION_FAILED'],
    [53, 'unauthorized', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
    [35, 'unsupported', 'UNSUPPORTED_VERSION'],
    [42, 'refused', 'INVALID_REQUEST'],
  ] as const)('is refused for good by error %i: %s', async (code, reason, name) => {
    const kafka = await startKafka({ brokers: 2 })
    const { identity } = startIdentity(kafka.bootstrap)
    kafka.fail({ api: 'InitProducerId' }, code)
    await expect(identity.whenKnown()).resolves.toBeUndefined()
    expect(identity.refused).toMatchObject({ reason, error: { code: name } })
    await identity.whenKnown()
    expect(questionsTo(kafka)).toHaveLength(1)
  })

  it('is refused by brokers that lack it, though others are not there', async () => {
    const kafka = await startKafka({ release: '0.10.2' })
    const { identity, info } = startIdentity(`${await deadAddress()},${kafka.bootstrap}`)
    await Promise.all([identity.whenKnown(), info.lookUp(['orders'], false)])
    expect(identity.refused).toMatchObject({ reason: 'unsupported', error: { code: 'UNSUPPORTED_VERSION' } })
  })

  it('costs no connection of the metadata, whatever the broker says of it', async () => {
    const kafka = await startKafka({ release: '0.10.2' })
    const { identity, info } = startIdentity(kafka.bootstrap)
    await Promise.all([identity.whenKnown(), info.lookUp(['orders'], false)])
    await info.lookUp(['orders'], false)
    expect(identity.refused?.reason).toBe('unsupported')
    expect(new Set(requestsOf(kafka, 'Metadata').map(({ connection }) => connection)).size).toBe(1)
  })
})
