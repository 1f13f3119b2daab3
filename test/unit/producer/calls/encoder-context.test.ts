import { expect, it } from 'vitest'
import { DefaultEncoder, type EncoderContext } from '../../../../src/index.js'
import { Serializer } from '../../../../src/producer/calls/serializer.js'
import type { KeyUse } from '../../../../src/producer/partitioner.js'

function recorder() {
  const asked: [given: unknown, context: EncoderContext][] = []
  const encode = (given: unknown, context: EncoderContext) => {
    asked.push([given, context])
    return String(given)
  }
  return { encode, asked }
}

function serializerOf(encoder: ReturnType<typeof recorder> | DefaultEncoder, keyUse: KeyUse = 'encoded') {
  return new Serializer<unknown, unknown>(encoder, encoder, keyUse, false)
}

it('an encoder is told the topic, the headers as they were given, and what of the message it encodes', () => {
  const encoder = recorder()
  const headers = new Map([['content-type', 'text/plain']])
  void serializerOf(encoder).serialize({ topic: 'orders', value: 1, key: 2, partitionKey: 3, headers })
  expect(encoder.asked).toEqual([
    [1, { topic: 'orders', headers, part: 'value' }],
    [2, { topic: 'orders', headers, part: 'key' }],
    [3, { topic: 'orders', headers, part: 'partitionKey' }],
  ])
  expect(encoder.asked.every(([, context]) => context.headers === headers)).toBe(true)
})

it('headers that can be read but once are shown all the same, to each encoder', () => {
  const encoder = recorder()
  const pairs: [string, string][] = [['content-type', 'text/plain'], ['a', 'b']] // prettier-ignore
  const headers = new Map(pairs).entries()
  expect(serializerOf(encoder).serialize({ topic: 'orders', value: 1, key: 2, headers })).toMatchObject({
    headers: pairs.flat(),
  })
  expect(encoder.asked.map(([, context]) => [...(context.headers as Iterable<unknown>)])).toEqual([pairs, pairs])
})

it.each([undefined, null])('no headers, given as %s, are undefined', (headers) => {
  const encoder = recorder()
  void serializerOf(encoder).serialize({ topic: 'orders', value: 1, ...(headers === null ? { headers } : {}) })
  expect(encoder.asked).toEqual([[1, { topic: 'orders', headers: undefined, part: 'value' }]])
})

it('what a partitioner does not read encoded is not encoded', () => {
  const encoder = recorder()
  void serializerOf(encoder, 'original').serialize({ topic: 'orders', value: 1, partitionKey: 3 })
  expect(encoder.asked.map(([, { part }]) => part)).toEqual(['value'])
})

it('a context is kept by who was given it: the next message has its own', () => {
  const encoder = recorder()
  const serializer = serializerOf(encoder)
  for (const topic of ['a', 'b']) void serializer.serialize({ topic, value: topic })
  expect(encoder.asked.map(([, { topic }]) => topic)).toEqual(['a', 'b'])
})

it('a string and bytes are stored as they are by the default encoder, and by one that is made of it as that says', () => {
  class Upper extends DefaultEncoder {
    override encode(value: unknown, context: EncoderContext) {
      return super.encode(String(value).toUpperCase(), context)
    }
  }
  const message = { topic: 'orders', value: 'x', key: Buffer.from('k') }
  expect(serializerOf(new DefaultEncoder()).serialize(message)).toMatchObject({ value: 'x', key: message.key })
  expect(serializerOf(new Upper()).serialize(message)).toMatchObject({ value: 'X', key: 'K' })
})
