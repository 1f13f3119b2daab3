import fc from 'fast-check'
import { inRange, type FieldSchema } from '../golden/schemas/schema.js'
import { defaultOf, elementOf, fieldName, fieldsOf, isArray, type Message, type Value } from './schema-codec.js'

/** The 64-bit fields that this package reads as numbers: times. */
const NUMBER_FIELDS = new Set([
  'logAppendTimeMs',
  'timestamp',
  'commitTimestamp',
  'retentionTimeMs',
  'sessionLifetimeMs',
])

const text = fc.oneof(
  { weight: 9, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
  // Lengths whose varint takes two bytes.
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(127), 'x'.repeat(128), 'é'.repeat(100)) },
)
const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array))
const safeInteger = fc.maxSafeInteger().map(BigInt)

/** Any message of this version that Kafka could send. */
export function anyMessage(fields: readonly FieldSchema[], version: number): fc.Arbitrary<Message> {
  const present = fieldsOf(fields, version).map((field) => [fieldName(field), anyValue(field, version)] as const)
  return fc.record(Object.fromEntries(present), { noNullPrototype: true })
}

function anyValue(field: FieldSchema, version: number): fc.Arbitrary<Value> {
  const value: fc.Arbitrary<Value> = isArray(field)
    ? fc.array(anyScalar(elementOf(field), version), { maxLength: 3 })
    : anyScalar(field, version)
  const nullable = inRange(field.nullableVersions, version) ? fc.option(value, { freq: 4 }) : value
  return field.tag === undefined ? nullable : fc.oneof(fc.constant(defaultOf(field)), nullable)
}

function anyScalar(field: FieldSchema, version: number): fc.Arbitrary<Value> {
  if (field.fields !== undefined) return anyMessage(field.fields, version)
  switch (field.type) {
    case 'bool':
      return fc.boolean()
    case 'int8':
      return fc.integer({ min: -(2 ** 7), max: 2 ** 7 - 1 })
    case 'int16':
      return fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })
    case 'int32':
      return fc.integer()
    case 'int64':
      return NUMBER_FIELDS.has(fieldName(field)) ? safeInteger : fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array))
    case 'string':
      return text
    case 'bytes':
    case 'records':
      return bytes
    default:
      throw new Error(`no type ${field.type}`)
  }
}

/** One message that has everything: no nulls, no defaults, two elements in each array. */
export function fullMessage(fields: readonly FieldSchema[], version: number): Message {
  return Object.fromEntries(fieldsOf(fields, version).map((field) => [fieldName(field), fullValue(field, version)]))
}

function fullValue(field: FieldSchema, version: number): Value {
  if (isArray(field)) {
    const element = elementOf(field)
    return [fullValue(element, version), fullValue(element, version)]
  }
  if (field.fields !== undefined) return fullMessage(field.fields, version)
  switch (field.type) {
    case 'bool':
      return true
    case 'string':
      return 'ab'
    case 'uuid':
      return Buffer.alloc(16, 7)
    case 'bytes':
    case 'records':
      return Buffer.from('abc')
    case 'int64':
      return 3n
    default:
      return 2
  }
}

/** `fullMessage` with null in one place after another where Kafka allows none. */
export function* messagesWithWrongNull(fields: readonly FieldSchema[], version: number): Generator<Message> {
  const full = fullMessage(fields, version)
  for (const field of fieldsOf(fields, version)) {
    const name = fieldName(field)
    const nullable = inRange(field.nullableVersions, version)
    if (!nullable && (isArray(field) || field.type === 'string' || field.type === 'bytes'))
      yield { ...full, [name]: null }
    if (isArray(field) && field.type === '[]string') yield { ...full, [name]: [null] }
    for (const inner of messagesWithWrongNull(field.fields ?? [], version)) {
      yield { ...full, [name]: isArray(field) ? [inner] : inner }
    }
  }
}

/** Kafka's message, with defaults filled in, in the shape this package gives it. */
export function asOurs(message: string, version: number, value: Message): Message {
  return timesAsNumbers(RESHAPED[message]?.(value, version) ?? value) as Message
}

function timesAsNumbers(value: Value): Value {
  if (Array.isArray(value)) return value.map(timesAsNumbers)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      NUMBER_FIELDS.has(name) && typeof field === 'bigint' ? Number(field) : timesAsNumbers(field),
    ]),
  )
}

/** Messages whose older and newer versions say the same in different shapes; ours is the newer one throughout. */
const RESHAPED: Readonly<Record<string, (value: Message, version: number) => Message>> = {
  MetadataRequest: (value, version) => {
    const { topics } = value
    return version === 0 && Array.isArray(topics) && topics.length === 0 ? { ...value, topics: null } : value
  },
  FetchRequest: ({ replicaState, ...value }, version) => {
    const { replicaId, replicaEpoch } = replicaState as Message
    return { ...value, ...(version >= 15 ? { replicaId } : {}), replicaEpoch } as Message
  },
  DeleteTopicsRequest: ({ topicNames, ...value }, version) =>
    version >= 6
      ? value
      : { ...value, topics: (topicNames as string[]).map((name) => ({ name, topicId: Buffer.alloc(16) })) },
  FindCoordinatorRequest: ({ key, ...value }, version) =>
    version >= 4 ? value : ({ ...value, coordinatorKeys: [key] } as Message),
  FindCoordinatorResponse: ({ throttleTimeMs, coordinators, ...only }, version) =>
    ({ throttleTimeMs, coordinators: version >= 4 ? coordinators : [{ ...only, key: '' }] }) as Message,
  AddPartitionsToTxnRequest: ({ transactions, ...only }, version) => {
    const transaction = {
      transactionalId: only['v3AndBelowTransactionalId'],
      producerId: only['v3AndBelowProducerId'],
      producerEpoch: only['v3AndBelowProducerEpoch'],
      verifyOnly: false,
      topics: only['v3AndBelowTopics'],
    }
    return { transactions: version >= 4 ? transactions : [transaction] } as Message
  },
  AddPartitionsToTxnResponse: ({ resultsByTopicV3AndBelow: topicResults, ...value }, version) =>
    version >= 4 ? value : ({ ...value, resultsByTransaction: [{ transactionalId: '', topicResults }] } as Message),
  LeaveGroupRequest: ({ memberId, ...value }, version) =>
    version >= 3 ? value : ({ ...value, members: [{ memberId, groupInstanceId: null, reason: null }] } as Message),
  OffsetFetchRequest: ({ groupId, topics, groups, requireStable }, version) =>
    ({
      groups: version >= 8 ? groups : [{ groupId, memberId: null, memberEpoch: -1, topics: withTopicIds(topics) }],
      requireStable,
    }) as Message,
  OffsetFetchResponse: ({ throttleTimeMs, topics, errorCode, groups }, version) =>
    ({
      throttleTimeMs,
      groups: version >= 8 ? groups : [{ groupId: '', topics: withTopicIds(topics), errorCode }],
    }) as Message,
}

function withTopicIds(topics: Value | undefined): Value {
  return topics === null ? null : (topics as Message[]).map((topic) => ({ ...topic, topicId: Buffer.alloc(16) }))
}
