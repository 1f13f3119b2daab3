import { expect, it, onTestFinished } from 'vitest'
import { SessionFactory } from '../../../../src/network/session/session.js'
import type { BrokerAddress } from '../../../../src/network/streams/connect.js'
import { AnyBroker } from '../../../../src/producer/brokers/any-broker.js'
import { BrokerPartitionInfo } from '../../../../src/producer/brokers/broker-partition-info.js'
import type { MetadataResponse } from '../../../../src/protocol/apis/metadata.js'
import { SYSTEM } from '../../../../src/surroundings.js'
import { topicMetadata } from '../../../embedded/support/scripted-broker.js'

const METADATA: MetadataResponse = {
  throttleTimeMs: 0,
  brokers: [{ nodeId: 1, host: 'kafka', port: 1, rack: null }],
  clusterId: 'c',
  controllerId: 1,
  topics: [topicMetadata('orders', 1)],
  clusterAuthorizedOperations: -0x80000000,
  errorCode: 0,
}

class AnsweredBroker extends AnyBroker {
  override ask<T>(): Promise<T> {
    return Promise.resolve(METADATA as T)
  }
}

/** What is known of a topic that broker 1 leads, and which brokers there are. */
async function learned() {
  const sessions = new SessionFactory({
    clientId: 'test',
    connectTimeoutMs: 1_000,
    requestTimeoutMs: 1_000,
    maxResponseBytes: 1_000_000,
    maxIdleMs: 60_000,
    softwareVersion: '1.0.0',
    legacyOnly: false,
  })
  const options = {
    requestTimeoutMs: 1_000,
    retryBackoffMs: 1,
    metadataRefreshIntervalMs: -1,
    metadataMaxIdleMs: 60_000,
    allowAutoTopicCreation: false,
  }
  const anyBroker = new AnsweredBroker(sessions, [], SYSTEM)
  const info = new BrokerPartitionInfo(sessions, anyBroker, options, SYSTEM)
  onTestFinished(() => info.close())
  const heard = () => undefined
  info.listen({
    onBrokers: heard,
    onOtherCluster: heard,
    onTopics: heard,
    onIdleCheck: heard,
    isInUse: () => true,
  })
  await info.lookUp(['orders'], true)
  /** An answer to messages says that this broker leads the topic by now, and names brokers. */
  const tell = (leader: number, leaderEpoch: number, brokers: readonly number[]) => {
    const addresses = new Map(brokers.map((id): [number, BrokerAddress] => [id, { host: 'kafka', port: id }]))
    return info.learnLeaders([{ topic: 'orders', partition: 0, leader, leaderEpoch }], addresses).size
  }
  return { anyBroker, info, tell }
}

it('of the brokers that an answer to messages names, those alone are kept that lead what was sent', async () => {
  const { anyBroker, tell } = await learned()
  expect(tell(2, 1, [2, 3, 4, 5])).toBe(1)
  expect([...anyBroker.brokers.keys()]).toEqual([1, 2])
  // One whose address is known need not be named.
  expect(tell(1, 2, [6])).toBe(1)
  expect([...anyBroker.brokers.keys()]).toEqual([1, 2])
})

it('answers that name a new leader each time make no more than a hundred brokers of it before brokers are asked for', async () => {
  const { anyBroker, info, tell } = await learned()
  let epoch = 0
  const tellMany = () => Array.from({ length: 150 }, (_, i) => tell(i + 2, ++epoch, [i + 2])).filter(Boolean).length
  expect(tellMany()).toBe(100)
  expect(anyBroker.brokers.size).toBe(101)
  expect(tell(1, ++epoch, [1])).toBe(1)
  await info.refresh()
  expect(anyBroker.brokers.size).toBe(1)
  expect(tellMany()).toBe(100)
})
