/** Real brokers whose access control lists deny IdempotentWrite: Kafka before 2.8 refuses sequences then (KIP-679). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProducerOptions } from '../../../src/index.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { RawClient } from '../../embedded/support/raw-client.js'
import { until } from '../conformance/subject.js'
import { isBefore, whyLacking } from '../support/features.js'
import { readTopic } from '../support/kcat.js'
import { RealKafka } from '../support/real-kafka.js'
import { findRelease } from '../support/releases.js'
import { producerOf } from './support.js'

const CLUSTER_AUTHORIZATION_FAILED = 31
const NOT_IDEMPOTENT = 'KAFKA_PRODUCER_NOT_IDEMPOTENT'

const releases = (process.env['KAFKA_RELEASES']?.split(',') ?? ['1.1', '2.8'])
  .map(findRelease)
  .filter(
    ({ version, coordination }) => coordination === 'zookeeper' && whyLacking(version, 'transactions') === undefined,
  )

describe.each(releases)('Kafka $name that denies IdempotentWrite', ({ version }) => {
  const isNeeded = isBefore(version, '2.8')
  let kafka: RealKafka
  const start = (options: Partial<ProducerOptions> = {}) => {
    const producer = producerOf({ brokers: kafka.bootstrap, ...options })
    const warnings: string[] = []
    producer.on('warning', ({ code }) => warnings.push(code))
    return { producer, warnings }
  }
  const acl = (args: readonly string[]) => {
    // Since 2.1 the broker can be asked, which then heeds it at once; older ones hear of it through ZooKeeper.
    const where = isBefore(version, '2.1')
      ? ['--authorizer-properties', `zookeeper.connect=${kafka.zookeeper ?? ''}`]
      : ['--bootstrap-server', kafka.bootstrap]
    return kafka.tool('kafka.admin.AclCommand', [...where, '--add', '--cluster', ...args])
  }
  /** Denied to whoever is not authenticated, as everybody here; all else is allowed. */
  const deny = async () => {
    await acl(['--allow-principal', 'User:*', '--operation', 'All'])
    await acl(['--deny-principal', 'User:ANONYMOUS', '--operation', 'IdempotentWrite'])
    if (!isNeeded) return
    const client = await RawClient.connect(kafka.bootstrap)
    const nobody = { transactionalId: null, producerId: -1n, producerEpoch: -1 }
    const question = { ...nobody, transactionTimeoutMs: 60_000, enable2Pc: false, keepPreparedTxn: false }
    await until(async () => {
      const { errorCode } = await client.call(initProducerId, 0, question)
      return errorCode === CLUSTER_AUTHORIZATION_FAILED ? true : undefined
    })
    await client.close()
  }
  const values = async (topic: string) => {
    const records = await readTopic({ bootstrap: kafka.bootstrap, topic, release: version })
    return records.map(({ value }) => value?.toString())
  }

  beforeAll(async () => {
    kafka = await RealKafka.start({
      release: version,
      topics: { before: {}, after: {} },
      config: {
        'authorizer.class.name': isBefore(version, '2.4')
          ? 'kafka.security.auth.SimpleAclAuthorizer'
          : 'kafka.security.authorizer.AclAuthorizer',
        'allow.everyone.if.no.acl.found': 'true',
      },
    })
  })
  afterAll(() => kafka?.stop())

  it('gets messages without sequences where it needs that right, told once, and with them where it does not', async () => {
    const numbers = Array.from({ length: 100 }, (_, n) => String(n))
    const earlier = start()
    await earlier.producer.send({ topic: 'before', value: '0' })
    expect(earlier.producer.stats().idempotent).toBe(true)

    await deny()
    const later = start()
    await Promise.all(numbers.map((value) => later.producer.send({ topic: 'after', value })))
    expect(later.producer.stats().idempotent).toBe(!isNeeded)
    expect(later.warnings).toEqual(isNeeded ? [NOT_IDEMPOTENT] : [])
    expect(await values('after')).toEqual(numbers)

    // The right is taken away while a producer has sequences.
    for (const value of ['1', '2', '3']) await earlier.producer.send({ topic: 'before', value })
    expect(earlier.warnings).toEqual(isNeeded ? [NOT_IDEMPOTENT] : [])
    expect(earlier.producer.stats().notIdempotentTopics).toEqual(isNeeded ? ['before'] : [])
    expect(await values('before')).toEqual(['0', '1', '2', '3'])

    const insisting = start({ idempotent: true }).producer.send({ topic: 'after', value: '100' })
    if (isNeeded) await expect(insisting).rejects.toMatchObject({ code: 'CLUSTER_AUTHORIZATION_FAILED' })
    else await insisting
    expect(await values('after')).toEqual(isNeeded ? numbers : [...numbers, '100'])
  })
})
