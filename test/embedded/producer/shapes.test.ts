import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Producer, type DeliveryReport, type KeyedMessage, type RecordMetadata } from '../../../src/index.js'
import { EmbeddedKafka, type StoredRecord } from '../../../src/testing/index.js'
import { revoked } from '../../support/revoked.js'
import { errorOf } from '../support/producers.js'

/**
 * What callers without types may put into each field of a message: it is taken for what it means, or refused with an
 * error that names the field. Nothing is dropped, and nothing turns into something else.
 */

const PARTITIONS = 64
const NOW = 'the time of send()'
const NO_HEADERS: [string, string | null][] = []
const PAIR: [string, string | null][] = [['a', 'b']]

interface Taken {
  /** The name of the topic it is stored in. */
  topic?: string
  value?: string | null
  key?: string | null
  /** The key that chooses the same partition; null: none. */
  partitionKey?: string | null
  /** Null: none is named. */
  partition?: number | null
  headers?: [string, string | null][]
  headerValue?: (string | null)[]
  timestamp?: number | typeof NOW
}

type Field = keyof Taken

/** A shape, and the fields that take it with what is stored then; all the others refuse it. */
type Shape = readonly [name: string, make: () => unknown, taken: Taken]

const bytesA: Taken = { value: 'A', key: 'A', partitionKey: 'A', headerValue: ['A'] }
const foreign = (source: string) => () => runInNewContext(source) as unknown

const SHAPES: readonly Shape[] = [
  [
    'undefined',
    () => undefined,
    { key: null, partitionKey: null, partition: null, headers: NO_HEADERS, timestamp: NOW },
  ],
  [
    'null',
    () => null,
    {
      value: null,
      key: null,
      partitionKey: null,
      partition: null,
      headers: NO_HEADERS,
      headerValue: [null],
      timestamp: NOW,
    },
  ],
  ["''", () => '', { value: '', key: '', partitionKey: '', headerValue: [''] }],
  [
    'a string',
    () => 'shapes',
    { topic: 'shapes', value: 'shapes', key: 'shapes', partitionKey: 'shapes', headerValue: ['shapes'] },
  ],
  [
    'the text of a small number',
    () => '12',
    { topic: '12', value: '12', key: '12', partitionKey: '12', headerValue: ['12'] },
  ],
  [
    'the text of milliseconds, as other clients have it',
    () => '1700000000000',
    {
      topic: '1700000000000',
      value: '1700000000000',
      key: '1700000000000',
      partitionKey: '1700000000000',
      headerValue: ['1700000000000'],
      timestamp: 1_700_000_000_000,
    },
  ],
  [
    'a time in ISO 8601',
    () => '2026-01-01T00:00:00Z',
    {
      value: '2026-01-01T00:00:00Z',
      key: '2026-01-01T00:00:00Z',
      partitionKey: '2026-01-01T00:00:00Z',
      headerValue: ['2026-01-01T00:00:00Z'],
    },
  ],
  ['a lone surrogate', () => 'x\ud83d', {}],
  ['two surrogates in the wrong order', () => '\ude00\ud83d', {}],
  ['a pair of surrogates', () => '😀', { value: '😀', key: '😀', partitionKey: '😀', headerValue: ['😀'] }],
  ['0', () => 0, { partition: 0, timestamp: 0 }],
  ['-0', () => -0, { partition: 0, timestamp: 0 }],
  ['7', () => 7, { partition: 7, timestamp: 7 }],
  ['-1', () => -1, {}],
  ['0.5', () => 0.5, {}],
  ['2 ** 53', () => 2 ** 53, {}],
  ['NaN', () => NaN, {}],
  ['Infinity', () => Infinity, {}],
  ['7n', () => 7n, { timestamp: 7 }],
  ['2n ** 60n', () => 2n ** 60n, {}],
  ['true', () => true, {}],
  ['false', () => false, {}],
  ['a symbol', () => Symbol('s'), {}],
  ['a function', () => () => 'x', {}],
  ['[]', () => [], { headers: NO_HEADERS, headerValue: [] }],
  ['[[]]', () => [[]], {}],
  ['[7]', () => [7], {}],
  ["['a', null]", () => ['a', null], { headerValue: ['a', null] }],
  ['pairs', () => [['a', 'b']], { headers: PAIR }],
  [
    'pairs with several values',
    () => [['a', ['b', Buffer.from('c')]]],
    {
      headers: [
        ['a', 'b'],
        ['a', 'c'],
      ],
    },
  ],
  ['pairs of another realm', foreign("[['a', 'b']]"), { headers: PAIR }],
  ['pairs with a number', () => [['a', 1]], {}],
  ['triples', () => [['a', 'b', 'c']], {}],
  ['{}', () => ({}), { headers: NO_HEADERS }],
  ['an object', () => ({ a: 'b' }), { headers: PAIR }],
  ['an object of another realm', foreign("({ a: 'b' })"), { headers: PAIR }],
  ['an object without prototype', () => Object.assign(Object.create(null) as object, { a: 'b' }), { headers: PAIR }],
  ['an object with a lone surrogate', () => ({ a: '\ud83d' }), {}],
  ['an object whose name has a lone surrogate', () => ({ '\ud83d': 'b' }), {}],
  ['an object with an array in an array', () => ({ a: [['b']] }), {}],
  ['an object with valueOf', () => ({ valueOf: () => 7, toString: () => '7' }), {}],
  ['an object with a getter that throws', () => ({ get a() { throw new Error('getter') } }), {}], // prettier-ignore
  ['an object that inherits', () => Object.create({ a: 'b' }) as unknown, {}],
  ['an instance of a class', () => new (class Point { a = 'b' })(), {}], // prettier-ignore
  ['an instance with accessors', () => new (class Point { get a() { return 'b' } })(), {}], // prettier-ignore
  ['a Map', () => new Map([['a', 'b']]), { headers: PAIR }],
  ['an empty Map', () => new Map(), { headers: NO_HEADERS }],
  [
    'a Map of another realm',
    foreign("new Map([['a', ['b', 'c']]])"),
    {
      headers: [
        ['a', 'b'],
        ['a', 'c'],
      ],
    },
  ],
  ['a Map with a number', () => new Map([['a', 1]]), {}],
  ['a Map with keys that are no strings', () => new Map([[1, 'b']]), {}],
  ['a WeakMap', () => new WeakMap(), {}],
  ['Headers', () => new Headers({ a: 'b' }), { headers: PAIR }],
  [
    'URLSearchParams',
    () => new URLSearchParams('a=b&a=c'),
    {
      headers: [
        ['a', 'b'],
        ['a', 'c'],
      ],
    },
  ],
  ['FormData', () => { const form = new FormData(); form.set('a', 'b'); return form }, { headers: PAIR }], // prettier-ignore
  ['a Set', () => new Set(['ab']), {}],
  ['a Set of pairs', () => new Set([['a', 'b']]), { headers: PAIR }],
  ['a generator of pairs', () => (function* () { yield ['a', 'b'] })(), { headers: PAIR }], // prettier-ignore
  ['a generator that throws', () => (function* () { yield ['a', 'b']; throw new Error('generator') })(), {}], // prettier-ignore
  ['an iterable that is none', () => ({ [Symbol.iterator]: () => 7 }), {}],
  ['an async iterable', () => (async function* () {})(), {}],
  ['a promise', () => Promise.resolve('x'), {}],
  ['a Date', () => new Date(7), { timestamp: 7 }],
  ['a Date of another realm', foreign('new Date(7)'), { timestamp: 7 }],
  ['an invalid Date', () => new Date('never'), {}],
  ['a RegExp', () => /x/, {}],
  ['an Error', () => new Error('x'), {}],
  ['a boxed string', () => new String('ab'), {}],
  ['an empty boxed string', () => new String(''), {}],
  ['a boxed number', () => new Number(7), {}],
  ['a boxed boolean', () => new Boolean(true), {}],
  ['a boxed bigint', () => Object(7n), {}],
  ['a Buffer', () => Buffer.from('A'), bytesA],
  ['an empty Buffer', () => Buffer.alloc(0), { value: '', key: '', partitionKey: '', headerValue: [''] }],
  ['a Uint8Array', () => new Uint8Array([65]), bytesA],
  ['a Uint8Array that is part of a buffer', () => new Uint8Array(new Uint8Array([1, 65, 2]).buffer, 1, 1), bytesA],
  ['a Uint8Array of another realm', foreign('new Uint8Array([65])'), bytesA],
  ['an ArrayBuffer', () => new Uint8Array([65]).buffer, bytesA],
  ['an ArrayBuffer of another realm', foreign('new Uint8Array([65]).buffer'), bytesA],
  ['a DataView', () => new DataView(new Uint8Array([1, 65, 2]).buffer, 1, 1), bytesA],
  ['a DataView of another realm', foreign('new DataView(new Uint8Array([65]).buffer)'), bytesA],
  ['a SharedArrayBuffer', () => sharedA(), bytesA],
  ['a Uint8Array on a SharedArrayBuffer', () => new Uint8Array(sharedA()), bytesA],
  ['a resizable ArrayBuffer', () => resizableA(), bytesA],
  ['a view of a resizable ArrayBuffer', () => new Uint8Array(resizableA()), bytesA],
  ['a view that its buffer has become too small for', () => shrunk(), {}],
  ['a detached Uint8Array', () => detached(new Uint8Array([65])), {}],
  ['a detached ArrayBuffer', () => detached(new Uint8Array([65])).buffer, {}],
  ['a detached DataView', () => detached(new DataView(new ArrayBuffer(1))), {}],
  ['a Uint8ClampedArray', () => new Uint8ClampedArray([65]), {}],
  ['an Int8Array', () => new Int8Array([65]), {}],
  ['a Uint16Array', () => new Uint16Array([65]), {}],
  ['a Float64Array', () => new Float64Array([7]), {}],
  ['a Blob', () => new Blob(['x']), {}],
  ['a proxy of an object', () => new Proxy({ a: 'b' }, {}), { headers: PAIR }],
  ['a proxy of bytes', () => new Proxy(new Uint8Array([65]), {}), {}],
  ['a proxy of a Date', () => new Proxy(new Date(7), {}), {}],
  ['a proxy that was revoked', () => revoked({}), {}],
  ['a proxy of an array that was revoked', () => revoked([]), {}],
]

const FIELDS: readonly Field[] = [
  'topic',
  'value',
  'key',
  'partitionKey',
  'partition',
  'headers',
  'headerValue',
  'timestamp',
]

/** A message with the shape in that field. */
function messageWith(field: Field, shape: unknown): KeyedMessage {
  const message =
    field === 'headerValue'
      ? { topic: 'shapes', value: 'x', headers: { name: shape } }
      : { topic: 'shapes', value: 'x', [field]: shape }
  return message as KeyedMessage
}

describe.each(SHAPES)('%s', (_, make, taken) => {
  it.each(FIELDS.map((field) => [field, field in taken ? 'taken' : 'refused'] as const))('as %s: %s', async (field) => {
    if (field in taken) {
      await expectTaken(field, make, taken)
      return
    }
    const name = field === 'headerValue' ? 'headers' : field
    const good = { topic: 'shapes', value: 'good' }
    const before = records().length
    for (const messages of [messageWith(field, make()), [good, messageWith(field, make())]]) {
      const error = await errorOf(sync.send(messages))
      expect(['INVALID_MESSAGE', 'SERIALIZATION_FAILED']).toContain(error.code)
      expect(error.message).toMatch(new RegExp(`\\b${name}: `))
    }
    expect(records()).toHaveLength(before)
  })
})

it.each(SHAPES)('%s as a message is refused, and so it is in a list', async (name, make) => {
  const before = records().length
  for (const messages of [make(), [{ topic: 'shapes', value: 'good' }, make()]]) {
    // That is a list without any message.
    if (name === '[]' && messages !== undefined && (messages as unknown[]).length === 0) continue
    const error = await errorOf(sync.send(messages as KeyedMessage[]))
    expect(error.code).toBe('INVALID_MESSAGE')
  }
  expect(records()).toHaveLength(before)
})

it('async: a list with a message that is invalid is refused whole; one that can’t be encoded fails alone', async () => {
  for (const [name, make, taken] of SHAPES) {
    for (const field of FIELDS) {
      if (field in taken) continue
      const before = records().length
      reports.length = 0
      const list = [{ topic: 'shapes', value: 'good' }, messageWith(field, make())]
      const code = await async.send(list).then(
        () => 'queued',
        (error: unknown) => (error as { code: string }).code,
      )
      await async.flush()
      const told = reports.map(({ error }) => error?.code)
      const stored = records().length - before
      const outcome = `${name} as ${field}: ${code}, ${stored} stored, reported ${told.map(String).join(' and ')}`
      expect([
        `${name} as ${field}: INVALID_MESSAGE, 0 stored, reported `,
        `${name} as ${field}: queued, 1 stored, reported SERIALIZATION_FAILED and undefined`,
        `${name} as ${field}: queued, 1 stored, reported undefined and SERIALIZATION_FAILED`,
      ]).toContain(outcome)
    }
  }
})

let kafka: EmbeddedKafka
let sync: Producer
let async: Producer<unknown, unknown, 'async'>
const reports: DeliveryReport[] = []

beforeAll(async () => {
  const partitions = PARTITIONS
  kafka = await EmbeddedKafka.start({
    topics: { shapes: { partitions }, '12': { partitions }, '1700000000000': { partitions } },
  })
  sync = new Producer({ brokers: kafka.bootstrap })
  async = new Producer({
    brokers: kafka.bootstrap,
    type: 'async',
    onDelivery: (report) => void reports.push(report),
  })
})

afterAll(async () => {
  await sync.close({ timeoutMs: 0 })
  await async.close({ timeoutMs: 0 })
  await kafka.stop()
})

function records(): StoredRecord[] {
  return kafka.records('shapes')
}

async function expectTaken(field: Field, make: () => unknown, taken: Taken): Promise<void> {
  const sentAt = Date.now()
  const [one] = await sync.send(messageWith(field, make()))
  const [, another] = await sync.send([{ topic: 'shapes', value: 'good' }, messageWith(field, make())])
  reports.length = 0
  await async.send(messageWith(field, make()))
  await async.flush()
  const [queued] = reports.map(({ metadata }) => metadata)
  for (const metadata of [one, another, queued] as RecordMetadata[]) {
    const record = kafka
      .records(metadata.topic)
      .find(({ partition, offset }) => partition === metadata.partition && offset === metadata.offset)
    await expectStored(field, taken, record as StoredRecord, metadata, sentAt)
  }
}

async function expectStored(
  field: Field,
  taken: Taken,
  record: StoredRecord,
  metadata: RecordMetadata,
  sentAt: number,
): Promise<void> {
  const headers = record.headers.map(({ key, value }) => [key, value?.toString() ?? null])
  switch (field) {
    case 'topic':
      expect(metadata.topic).toBe(taken.topic)
      break
    case 'value':
    case 'key':
      expect(record[field]?.toString() ?? null).toBe(taken[field])
      break
    case 'partitionKey':
      expect(record.key).toBeNull()
      if (taken.partitionKey === null) break
      expect(metadata.partition).toBe(
        (await sync.send({ topic: 'shapes', value: 'x', key: taken.partitionKey }))[0]?.partition,
      )
      break
    case 'partition':
      if (taken.partition !== null) expect(metadata.partition).toBe(taken.partition)
      break
    case 'headers':
      expect(headers).toEqual(taken.headers)
      break
    case 'headerValue':
      expect(headers).toEqual(taken.headerValue?.map((value) => ['name', value]))
      break
    case 'timestamp':
      if (taken.timestamp === NOW) expect(record.timestamp).toBeGreaterThanOrEqual(sentAt)
      else expect(record.timestamp).toBe(taken.timestamp)
      break
  }
}

function sharedA(): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(1)
  new Uint8Array(shared)[0] = 65
  return shared
}

/** Node has them, the types of its oldest release not yet. */
const ResizableArrayBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(length: number): void }

function resizableA(): ArrayBuffer {
  const buffer = new ResizableArrayBuffer(1, { maxByteLength: 2 })
  new Uint8Array(buffer)[0] = 65
  return buffer
}

function shrunk(): Uint8Array {
  const buffer = new ResizableArrayBuffer(2, { maxByteLength: 2 })
  const view = new Uint8Array(buffer, 1, 1)
  buffer.resize(1)
  return view
}

function detached<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] })
  return view
}
