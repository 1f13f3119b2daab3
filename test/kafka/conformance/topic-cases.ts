import { describe, expect, it, type TestContext } from 'vitest'
import {
  createTopics,
  type CreatableTopic,
  type CreatableTopicResult,
} from '../../../src/protocol/apis/create-topics.js'
import { deleteTopics, type DeleteTopicState } from '../../../src/protocol/apis/delete-topics.js'
import { describeCluster } from '../../../src/protocol/apis/describe-cluster.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { metadataRequest } from '../../embedded/support/requests.js'
import { until, type Subject } from './subject.js'

let names = 0
const newName = (): string => `topics-${Date.now()}-${++names}`
const NOBODY = Buffer.alloc(16, 7)

export function topicCases(subject: () => Subject): void {
  /** Older releases say it in other words, and some things with other codes. */
  const atLeast28 = (skip: TestContext['skip']): void => {
    if (!subject().release.atLeast(2, 8)) skip('has other words for it')
  }
  const byKraft = (): boolean => subject().release.isKraft
  const topic = (name: string, more: Partial<CreatableTopic> = {}): CreatableTopic => ({
    ...{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
    ...more,
  })
  const create = async (
    topics: readonly CreatableTopic[],
    { validateOnly = false, timeoutMs = 15_000 } = {},
  ): Promise<readonly CreatableTopicResult[]> => {
    const controller = await subject().controller()
    const request = { topics, timeoutMs, validateOnly }
    return (await controller.call(createTopics, subject().version(createTopics), request)).topics
  }
  const problemOf = async (asked: CreatableTopic) => {
    const [result, ...others] = await create([asked], { validateOnly: true })
    expect(others).toEqual([])
    return [result?.errorCode, result?.errorMessage]
  }
  /** In no order, as Kafka keeps none. */
  const outcomes = (results: readonly CreatableTopicResult[]) =>
    results.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]).sort()

  describe('CreateTopics', () => {
    it('tells of the topic, and of one that is there already', async ({ skip }) => {
      atLeast28(skip)
      const name = newName()
      const [made] = await create([topic(name, { numPartitions: 2 })])
      expect([made?.errorCode, made?.errorMessage, made?.numPartitions, made?.replicationFactor]).toEqual([
        0,
        null,
        2,
        1,
      ])
      expect(made?.topicId.equals(ZERO_UUID)).toBe(false)
      expect(await problemOf(topic(name, { numPartitions: 0 }))).toEqual([36, `Topic '${name}' already exists.`])
    })

    it('the same name twice', async ({ skip }) => {
      atLeast28(skip)
      const [twice, once] = [newName(), newName()]
      const results = await create([topic(twice), topic(once), topic(twice, { numPartitions: 0 })])
      const refused = byKraft() ? [[twice, 42, 'Duplicate topic name.']] : []
      const refusedEach = [twice, 42, 'Found multiple entries for this topic.']
      expect(outcomes(results)).toEqual([...(byKraft() ? refused : [refusedEach, refusedEach]), [once, 0, null]].sort())
      expect((await subject().metadata(twice, { create: false })).topics[0]?.errorCode).toBe(3)
    })

    it('names that collide with a topic that is there', async ({ skip }) => {
      atLeast28(skip)
      const name = `${newName()}.a_b`
      await create([topic(name)])
      await until(async () =>
        (await subject().metadata(name, { create: false })).topics[0]?.errorCode === 0 ? true : undefined,
      )
      for (const other of [name.replace('.', '_'), name.replace('_', '.'), name.replace('.a_b', '_a.b')]) {
        const existing = byKraft() ? `topic: ${name}` : `topics: ${name}`
        expect(await problemOf(topic(other))).toEqual([17, `Topic '${other}' collides with existing ${existing}`])
        const [asked] = (await subject().metadata(other)).topics
        expect(asked?.errorCode).toBe(byKraft() ? 3 : 17)
      }
    })

    it('names that no topic can have', async ({ skip }) => {
      atLeast28(skip)
      const long = 'x'.repeat(250)
      const chars = "ASCII alphanumerics, '.', '_' and '-'"
      const said = byKraft()
        ? {
            '': 'Topic name is invalid: the empty string is not allowed',
            '.': "Topic name is invalid: '.' is not allowed",
            '..': "Topic name is invalid: '..' is not allowed",
            'a/b': `Topic name is invalid: 'a/b' contains one or more characters other than ${chars}`,
            ü: `Topic name is invalid: 'ü' contains one or more characters other than ${chars}`,
            [long]: `Topic name is invalid: the length of '${long}' is longer than the max allowed length 249`,
          }
        : {
            '': "Topic name is illegal, it can't be empty",
            '.': 'Topic name cannot be "." or ".."',
            '..': 'Topic name cannot be "." or ".."',
            'a/b': `Topic name "a/b" is illegal, it contains a character other than ${chars}`,
            ü: `Topic name "ü" is illegal, it contains a character other than ${chars}`,
            [long]: `Topic name is illegal, it can't be longer than 249 characters, topic name: ${long}`,
          }
      for (const [name, message] of Object.entries(said)) expect(await problemOf(topic(name))).toEqual([17, message])
    })

    it('numbers that make no sense', async ({ skip }) => {
      atLeast28(skip)
      for (const numPartitions of [0, -2]) {
        expect(await problemOf(topic(newName(), { numPartitions }))).toEqual([
          37,
          byKraft()
            ? 'Number of partitions was set to an invalid non-positive value.'
            : 'Number of partitions must be larger than 0.',
        ])
      }
      for (const replicationFactor of [0, -2]) {
        expect(await problemOf(topic(newName(), { replicationFactor }))).toEqual([
          38,
          byKraft()
            ? 'Replication factor must be larger than 0, or -1 to use the default value.'
            : 'Replication factor must be larger than 0.',
        ])
      }
      const [code, message] = await problemOf(topic(newName(), { replicationFactor: 9 }))
      expect(code).toBe(38)
      expect(message).toContain(
        byKraft()
          ? 'Unable to replicate the partition 9 time(s): The target replication factor of 9 cannot be reached because only 3 broker(s) are registered'
          : 'Replication factor: 9 larger than available brokers: 3.',
      )
      const name = newName()
      const [late] = await create([topic(name)], { timeoutMs: -1 })
      expect(late?.errorCode).toBe(7)
    })

    it('a number of partitions that nobody can mean', async ({ skip }) => {
      // A ZooKeeper controller would set about it.
      if (!byKraft()) skip('has no bound')
      expect(await problemOf(topic(newName(), { numPartitions: 0x7fffffff }))).toEqual([
        44,
        'Excessively large number of partitions per request.',
      ])
    })

    it('replicas that are chosen by hand', async ({ skip }) => {
      if (!byKraft()) skip('has other words for it')
      const chosen = (...lists: number[][]) => ({
        numPartitions: -1,
        replicationFactor: -1,
        assignments: lists.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
      })
      const problem = async (more: Partial<CreatableTopic>) => problemOf(topic(newName(), more))
      const includes = 'The manual partition assignment includes'
      expect(await problem(chosen([1, 2], [2, 3]))).toEqual([0, null])
      expect(await problem({ ...chosen([1]), numPartitions: 1 })).toEqual([
        42,
        'A manual partition assignment was specified, but numPartitions was not set to -1.',
      ])
      expect(await problem({ ...chosen([1]), replicationFactor: 1 })).toEqual([
        42,
        'A manual partition assignment was specified, but replication factor was not set to -1.',
      ])
      expect(await problem(chosen([1, 1]))).toEqual([39, `${includes} the broker 1 more than once.`])
      expect(await problem(chosen([1], [9]))).toEqual([39, `${includes} broker 9, but no such broker is registered.`])
      expect(await problem(chosen([]))).toEqual([39, `${includes} an empty replica list.`])
      const previous = 'but this is not consistent with previous partitions, which have 1 replica(s).'
      expect(await problem(chosen([1], [1, 2]))).toEqual([39, `${includes} a partition with 2 replica(s), ${previous}`])
      const at = (...indexes: number[]) => ({
        ...chosen(),
        assignments: indexes.map((partitionIndex) => ({ partitionIndex, brokerIds: [1] })),
      })
      expect(await problem(at(0, 2))).toEqual([39, 'partitions should be a consecutive 0-based integer sequence'])
      expect(await problem(at(0, 0))).toEqual([39, 'Found multiple manual partition assignments for partition 0'])
      expect(await problem(at(1, 0))).toEqual([0, null])
    })

    it.for([
      ['no.such=1', 'Unknown topic config name: no.such'],
      ['retention.ms=abc&no.such=1', 'Unknown topic config name: no.such'],
      ['retention.ms=abc', 'Invalid value abc for configuration retention.ms: Not a number of type LONG'],
      ['retention.ms=', 'Invalid value  for configuration retention.ms: Not a number of type LONG'],
      ['retention.ms=1.5', 'Invalid value 1.5 for configuration retention.ms: Not a number of type LONG'],
      ['retention.ms=-2', 'Invalid value -2 for configuration retention.ms: Value must be at least -1'],
      ['retention.ms=-1', null],
      ['retention.ms= 5 ', null],
      ['retention.bytes=-1', null],
      [
        'cleanup.policy=zzz',
        'Invalid value zzz for configuration cleanup.policy: String must be one of: compact, delete',
      ],
      [
        'cleanup.policy=compact,zzz',
        'Invalid value zzz for configuration cleanup.policy: String must be one of: compact, delete',
      ],
      ['cleanup.policy=compact, delete', null],
      [
        'compression.type=brotli',
        'Invalid value brotli for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer',
      ],
      [
        'message.timestamp.type=Foo',
        'Invalid value Foo for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime',
      ],
      ['min.insync.replicas=0', 'Invalid value 0 for configuration min.insync.replicas: Value must be at least 1'],
      ['max.message.bytes=-1', 'Invalid value -1 for configuration max.message.bytes: Value must be at least 0'],
      [
        'max.message.bytes=2147483648',
        'Invalid value 2147483648 for configuration max.message.bytes: Not a number of type INT',
      ],
      ['max.message.bytes=0', null],
      [
        'min.cleanable.dirty.ratio=1.5',
        'Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1',
      ],
      [
        'min.cleanable.dirty.ratio=x',
        'Invalid value x for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE',
      ],
      ['preallocate=1', 'Invalid value 1 for configuration preallocate: Expected value to be either true or false'],
      ['preallocate=TRUE', null],
      [
        'min.compaction.lag.ms=5&max.compaction.lag.ms=1',
        'conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (1)',
      ],
      ['leader.replication.throttled.replicas=0:1,1:2', null],
    ] as const)('with the settings %s', async ([text, message], { skip }) => {
      atLeast28(skip)
      const configs = text.split('&').map((pair) => {
        const [name = '', value = ''] = pair.split('=')
        return { name, value }
      })
      expect(await problemOf(topic(newName(), { configs }))).toEqual([message === null ? 0 : 40, message])
    })

    it('with a setting that is null', async ({ skip }) => {
      atLeast28(skip)
      const configs = [{ name: 'retention.ms', value: null }]
      expect(await problemOf(topic(newName(), { configs }))).toEqual(
        byKraft()
          ? [40, 'Null value not supported for topic configs: retention.ms']
          : [42, 'Null value not supported for topic configs : retention.ms'],
      )
    })

    it('tells all settings of the topic, and where each comes from, from version 5 on', async ({ skip }) => {
      if (!subject().has(createTopics) || subject().version(createTopics) < 5) skip('has no such version')
      const configs = [{ name: 'retention.ms', value: '5' }]
      for (const validateOnly of [true, false]) {
        const [made] = await create([topic(newName(), { configs })], { validateOnly })
        const told = new Map(made?.configs?.map((config) => [config.name, config]))
        expect(told.get('retention.ms')).toMatchObject({ value: '5', configSource: 1, readOnly: false })
        expect(told.get('cleanup.policy')).toMatchObject({ value: 'delete', configSource: 5, isSensitive: false })
        expect(told.get('min.insync.replicas')?.configSource).toBe(subject().release.atLeast(4, 0) ? 3 : 5)
        expect([...told].filter(([, { configSource }]) => configSource === 1).map(([name]) => name)).toEqual([
          'retention.ms',
        ])
        const counts = { '2.8': 26, '3.9': 36, '4': 37 } as Readonly<Record<string, number>>
        expect(told.size).toBe(counts[subject().release.name])
      }
    })
  })

  describe('DeleteTopics', () => {
    const remove = async (topics: readonly (string | DeleteTopicState)[], timeoutMs = 15_000) => {
      const controller = await subject().controller()
      const asked = topics.map((one) => (typeof one === 'string' ? { name: one, topicId: ZERO_UUID } : one))
      const request = { topics: asked, timeoutMs }
      const { responses } = await controller.call(deleteTopics, subject().version(deleteTopics), request)
      return responses.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]).sort()
    }
    const words = (text: string): string | null => (byKraft() ? text : null)

    it('topics that there are not', async ({ skip }) => {
      atLeast28(skip)
      const [name, other] = [newName(), newName()]
      const said = words('This server does not host this topic-partition.')
      expect(await remove([name, ''])).toEqual([
        ['', 3, said],
        [name, 3, said],
      ])
      expect(await remove([name, other, name])).toEqual(
        byKraft()
          ? [
              [name, 42, 'Duplicate topic name.'],
              [other, 3, said],
            ]
          : [
              [name, 3, said],
              [name, 3, said],
              [other, 3, said],
            ],
      )
      const id = { name: null, topicId: NOBODY }
      expect(await remove([id])).toEqual([[null, 100, words('This server does not host this topic ID.')]])
    })

    it('a topic that is named twice is deleted twice, or not at all', async ({ skip }) => {
      atLeast28(skip)
      const name = await subject().topic()
      expect(await remove([name, name])).toEqual(
        byKraft()
          ? [[name, 42, 'Duplicate topic name.']]
          : [
              [name, 0, null],
              [name, 0, null],
            ],
      )
      expect((await remove([name])).map(([, errorCode]) => errorCode)).toEqual([byKraft() ? 0 : 3])
    })

    it('within no time: it is not begun, or not waited for', async ({ skip }) => {
      if (!subject().has(deleteTopics)) skip('has no such request')
      const name = await subject().topic()
      const told = async (topic: string) => (await remove([topic], 0)).map(([, errorCode]) => errorCode)
      expect([await told(name), await told(newName())]).toEqual([[7], [byKraft() ? 7 : 3]])
      const codeOfIt = async () => (await subject().metadata(name, { create: false })).topics[0]?.errorCode
      if (byKraft()) expect(await codeOfIt()).toBe(0)
      else if (subject().version(metadata) >= 4) await until(async () => ((await codeOfIt()) === 3 ? true : undefined))
    })

    it('by name and id, or by neither', async ({ skip }) => {
      atLeast28(skip)
      const both = { name: newName(), topicId: NOBODY }
      expect(await remove([both])).toEqual([
        [both.name, 42, words('You may not specify both topic name and topic id.')],
      ])
      const neither = { name: null, topicId: ZERO_UUID }
      expect(await remove([neither])).toEqual([
        byKraft() ? [null, 42, 'Neither topic name nor id were specified.'] : [null, 29, null],
      ])
    })
  })

  describe('Metadata of several topics', () => {
    it('names each once', async () => {
      const client = await subject().connect()
      const { topics } = await client.call(metadata, subject().version(metadata), metadataRequest(['small', 'small']))
      expect(topics.map(({ name }) => name)).toEqual(['small'])
    })

    it('by id, where the version has ids and the broker looks at them', async ({ skip }) => {
      const newest = Math.min(subject().release.served(metadata.key)?.max ?? 0, metadata.maxVersion)
      if (newest < 10) skip('has no ids')
      const client = await subject().connect()
      const ask = async (version: number, ...topics: { name: string | null; topicId: Buffer }[]) => {
        const answer = await client.call(metadata, version, { ...metadataRequest([], false), topics })
        return [answer.brokers.length, ...answer.topics.map(({ name, errorCode }) => [name, errorCode])]
      }
      const small = (await subject().metadata('small')).topics[0]?.topicId ?? ZERO_UUID
      const neither = { name: null, topicId: ZERO_UUID }
      const named = { name: 'compacted', topicId: ZERO_UUID }
      // Clients of version 10 and 11 may say an id, and no broker takes it.
      expect(await ask(10, { name: null, topicId: small }, named)).toEqual([0, ['', 42], ['compacted', 42]])
      expect(await ask(10, neither)).toEqual([0, ['', 42]])
      if (newest < 12) return
      expect(await ask(12, neither, named)).toEqual([0, ['', -1], ['compacted', -1]])
      expect(await ask(12, { name: null, topicId: NOBODY })).toEqual([3, [null, 100]])
      const byId = { name: null, topicId: small }
      expect(await ask(12, byId, byId)).toEqual([3, ['small', 0]])
      expect(await ask(12, byId, named)).toEqual([3, ['small', 0]])
      expect(await ask(12, { name: 'small', topicId: NOBODY })).toEqual([3, [null, 100]])
    })

    it('what a client may do with it, of topics that there are not too', async ({ skip }) => {
      if (subject().version(metadata) < 8) skip('has no such version')
      const client = await subject().connect()
      const request = { ...metadataRequest(['small', newName()], false), includeTopicAuthorizedOperations: true }
      const { topics } = await client.call(metadata, subject().version(metadata), request)
      expect(topics.map(({ topicAuthorizedOperations }) => topicAuthorizedOperations)).toEqual([3576, 3576])
      const ofCluster = { ...metadataRequest([], false), includeClusterAuthorizedOperations: true }
      expect((await client.call(metadata, 8, ofCluster)).clusterAuthorizedOperations).toBe(8096)
    })
  })

  it('DescribeCluster tells what a client may do, and refuses other endpoints than its own', async ({ skip }) => {
    if (!subject().has(describeCluster)) skip('has no such request')
    const client = await subject().connect()
    const version = subject().version(describeCluster)
    const ask = async (endpointType: number) => {
      const request = { includeClusterAuthorizedOperations: true, endpointType, includeFencedBrokers: false }
      return client.call(describeCluster, version, request)
    }
    const answer = await ask(1)
    expect([answer.errorCode, answer.brokers.length, answer.clusterAuthorizedOperations]).toEqual([0, 3, 8096])
    if (version < 1) return
    expect(await ask(2)).toMatchObject({
      errorCode: 114,
      errorMessage: 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER',
      clusterId: '',
      brokers: [],
    })
    expect(await ask(9)).toMatchObject({ errorCode: 115, errorMessage: 'Unsupported endpoint type 9', brokers: [] })
  })
}
