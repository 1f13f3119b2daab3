import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader } from '../../src/protocol/byte-reader.js'
import { ByteWriter } from '../../src/protocol/byte-writer.js'
import { parseRange, type MessageSchema } from '../golden/schemas/schema.js'
import { apisWithSchemas, versionsOf } from './all-apis.js'
import { encodeMessage, withDefaults } from './schema-codec.js'
import { anyMessage, asOurs, messagesWithWrongNull } from './schema-messages.js'

/** One direction of an API. */
interface Half {
  name: string
  schema: MessageSchema
  versions: number[]
  encode(writer: ByteWriter, version: number, value: unknown): void
  decode(reader: ByteReader, version: number): unknown
}

const halves: Half[] = apisWithSchemas().flatMap(({ api, schema }) => [
  {
    name: `${api.name}Request`,
    schema: schema.request,
    versions: versionsOf(api),
    encode: (writer, version, value) => api.encodeRequest(writer, version, value),
    decode: (reader, version) => api.decodeRequest(reader, version),
  },
  {
    name: `${api.name}Response`,
    schema: schema.response,
    versions: versionsOf(api),
    encode: (writer, version, value) => api.encodeResponse(writer, version, value),
    decode: (reader, version) => api.decodeResponse(reader, version),
  },
])

function decode(half: Half, version: number, bytes: Buffer): unknown {
  const reader = new ByteReader(bytes)
  const value = half.decode(reader, version)
  assert.equal(reader.problem(), undefined)
  return value
}

function encode(half: Half, version: number, value: unknown): Buffer {
  // Too small on purpose: the writer has to grow.
  const writer = new ByteWriter(8)
  half.encode(writer, version, value)
  return writer.bytes()
}

describe('every API', () => {
  it.each(apisWithSchemas())('$api.name has the key and versions that Kafka gives it', ({ api, schema }) => {
    const [flexibleFrom, flexibleTo] = parseRange(schema.request.flexibleVersions)
    expect(api.key).toBe(schema.apiKey)
    expect([api.minVersion, api.maxVersion]).toEqual(parseRange(schema.request.validVersions))
    expect(schema.response.validVersions).toBe(schema.request.validVersions)
    expect(schema.response.flexibleVersions).toBe(schema.request.flexibleVersions)
    expect(api.flexibleFrom).toBe(flexibleTo < 0 ? Infinity : flexibleFrom)
  })

  it.each(halves)('$name reads and writes what the specification says', (half) => {
    const { schema } = half
    for (const version of half.versions) {
      const property = fc.property(anyMessage(schema.fields, version), (message) => {
        const bytes = encodeMessage(schema, version, message)
        const decoded = decode(half, version, bytes)
        assert.deepStrictEqual(decoded, asOurs(half.name, version, withDefaults(schema.fields, version, message)))
        const encoded = encode(half, version, decoded)
        assert.deepStrictEqual(encoded, bytes, `v${version}`)
        assert.deepStrictEqual(decode(half, version, encoded), decoded)
      })
      fc.assert(property, { numRuns: 40 })
    }
  })

  it.each(halves)('$name skips tagged fields it does not know', (half) => {
    const { schema } = half
    for (const version of half.versions) {
      const property = fc.property(anyMessage(schema.fields, version), (message) => {
        const decoded = decode(half, version, encodeMessage(schema, version, message, { unknownTags: true }))
        assert.deepStrictEqual(decoded, decode(half, version, encodeMessage(schema, version, message)))
      })
      fc.assert(property, { numRuns: 5 })
    }
  })

  it.each(halves)('$name refuses null where the specification allows none', (half) => {
    const { schema } = half
    for (const version of half.versions) {
      for (const message of messagesWithWrongNull(schema.fields, version)) {
        const reader = new ByteReader(encodeMessage(schema, version, message))
        half.decode(reader, version)
        expect(reader.problem()).toContain('null where')
      }
    }
  })
})
