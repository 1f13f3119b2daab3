import { describe, expect, it } from 'vitest'
import type { ApiInfo } from '../../../src/protocol/api.js'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { saslHandshake } from '../../../src/protocol/apis/sasl-handshake.js'
import { ByteReader } from '../../../src/protocol/byte-reader.js'
import { ByteWriter } from '../../../src/protocol/byte-writer.js'
import {
  readRequestHeader,
  readRequestHeaderEnd,
  readResponseHeaderEnd,
  writeRequestHeader,
  writeResponseHeader,
} from '../../../src/protocol/header.js'

function requestHeader(api: ApiInfo, version: number, clientId: string | null): Buffer {
  const writer = new ByteWriter()
  writeRequestHeader(writer, api, version, 258, clientId)
  return writer.bytes()
}

function responseHeader(api: ApiInfo, version: number): string {
  const writer = new ByteWriter()
  writeResponseHeader(writer, api, version, 258)
  return writer.bytes().toString('hex')
}

describe('request header', () => {
  it('ends with the client id before flexible versions', () => {
    expect(requestHeader(metadata, 8, 'me').toString('hex')).toBe('0003' + '0008' + '00000102' + '00026d65')
  })

  it('has tagged fields in flexible versions, but a plain client id', () => {
    expect(requestHeader(metadata, 9, 'me').toString('hex')).toBe('0003' + '0009' + '00000102' + '00026d65' + '00')
    expect(requestHeader(apiVersions, 3, null).toString('hex')).toBe('0012' + '0003' + '00000102' + 'ffff' + '00')
  })

  it('is never flexible for SaslHandshake', () => {
    expect(requestHeader(saslHandshake, 1, '').toString('hex')).toBe('0011' + '0001' + '00000102' + '0000')
  })

  it.each([
    [8, 'me'],
    [9, 'me'],
    [8, null],
    [9, null],
  ])('of version %i from %s is read back', (version, clientId) => {
    const reader = new ByteReader(requestHeader(metadata, version, clientId))
    expect(readRequestHeader(reader)).toEqual({ apiKey: 3, apiVersion: version, correlationId: 258, clientId })
    readRequestHeaderEnd(reader, metadata, version)
    expect(reader.problem()).toBeUndefined()
  })
})

describe('response header', () => {
  it('has tagged fields in flexible versions', () => {
    expect(responseHeader(metadata, 8)).toBe('00000102')
    expect(responseHeader(metadata, 9)).toBe('00000102' + '00')
    expect(responseHeader(saslHandshake, 1)).toBe('00000102')
  })

  it('never has them for ApiVersions', () => {
    expect(responseHeader(apiVersions, 2)).toBe('00000102')
    expect(responseHeader(apiVersions, 3)).toBe('00000102')
  })

  it.each([
    [metadata, 8, 0],
    [metadata, 9, 1],
    [apiVersions, 3, 0],
  ] as const)('is read accordingly', (api, version, size) => {
    const reader = new ByteReader(Buffer.alloc(1))
    readResponseHeaderEnd(reader, api, version)
    expect(reader.position).toBe(size)
  })
})
