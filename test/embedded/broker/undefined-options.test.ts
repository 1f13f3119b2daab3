import { expect, it, onTestFinished } from 'vitest'
import { Producer } from '../../../src/index.js'
import { oauthBearerExchange } from '../../../src/network/sasl/oauthbearer.js'
import { makeMechanism } from '../../../src/network/sasl/sasl-options.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'

/** As those give it who pass on what they may not have: types and brokers take it for what is not given. */
const nothing = undefined

it('options of the embedded broker that are undefined are not given', async () => {
  const probe = await EmbeddedKafka.start()
  const port = Number(probe.bootstrap.split(':')[1])
  await probe.stop()
  const kafka = await EmbeddedKafka.start({
    brokers: [{ id: nothing, port: nothing, rack: nothing, release: nothing }],
    ports: [port],
    topics: { t: { partitions: nothing, replicationFactor: nothing, config: { 'cleanup.policy': nothing } } },
    release: nothing,
    host: nothing,
    autoCreateTopics: nothing,
    messageMaxBytes: nothing,
    ssl: nothing,
    sasl: nothing,
    clientMetrics: { metrics: nothing, intervalMs: nothing },
  })
  onTestFinished(() => kafka.stop())
  expect(kafka.bootstrap).toBe(`127.0.0.1:${port}`)
  kafka.setPartitions('t', 3)
  kafka.recreateTopic('t', { partitions: nothing, replicationFactor: nothing, config: nothing })
  await kafka.addBroker({ id: nothing, port: nothing, rack: nothing })
  kafka.delay({ api: 'Produce', topic: nothing, partition: nothing, broker: nothing, times: nothing }, 1)
  const producer = new Producer({ brokers: kafka.bootstrap })
  onTestFinished(async () => void (await producer.close()))
  await producer.send({ topic: 't', value: 'x', partition: 2 }, { signal: undefined })
  expect(kafka.records('t', { partition: nothing } as never)).toHaveLength(1)
  kafka.subscribeMetrics({ compression: nothing, maxBytes: nothing })
  kafka.fail({ api: 'Fetch' }, 7, { append: nothing }).release()
  expect(kafka.records('t', { isolation: nothing })).toHaveLength(1)
  await kafka.waitForRecords('t', 1, { timeoutMs: nothing })
  await kafka.waitForRequest({ api: 'Produce', topic: nothing }, { count: nothing, timeoutMs: nothing })
})

it('fields of `sasl` that are undefined are not given, those of another mechanism included', () => {
  const password = { mechanism: 'plain', username: 'u', password: 'p', token: undefined, authenticator: undefined }
  expect(makeMechanism(password).name).toBe('PLAIN')
  const token = { mechanism: 'oauthbearer', token: 't', username: undefined, password: undefined }
  expect(makeMechanism(token).name).toBe('OAUTHBEARER')
  expect(() => makeMechanism({ ...password, password: undefined })).toThrow(/password.*missing/)
})

it('an extension of a token that is undefined is not sent', async () => {
  const exchange = oauthBearerExchange('abc', { logicalCluster: 'lkc-1', identityPoolId: undefined as never })
  expect(String(await exchange.next(undefined))).toBe('n,,\x01auth=Bearer abc\x01logicalCluster=lkc-1\x01\x01')
})

it('a message in a stream whose topic is undefined has the topic of the stream', async () => {
  const kafka = await EmbeddedKafka.start({ topics: { t: {} } })
  onTestFinished(() => kafka.stop())
  const producer = new Producer({ brokers: kafka.bootstrap })
  onTestFinished(async () => void (await producer.close()))
  const stream = producer.writable({ topic: 't' })
  const finished = new Promise<void>((resolve, reject) => void stream.once('finish', resolve).once('error', reject))
  stream.end({ topic: undefined as never, value: 'x' })
  await finished
  expect(kafka.records('t')).toHaveLength(1)
})
