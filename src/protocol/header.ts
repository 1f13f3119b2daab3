import type { ApiInfo } from './api.js'
import type { ByteReader } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'

const API_VERSIONS_KEY = 18

export interface RequestHeader {
  apiKey: number
  apiVersion: number
  correlationId: number
  clientId: string | null
}

export function writeRequestHeader(
  writer: ByteWriter,
  api: ApiInfo,
  version: number,
  correlationId: number,
  clientId: string | null,
): void {
  writer.writeInt16(api.key)
  writer.writeInt16(version)
  writer.writeInt32(correlationId)
  // The client id stays a plain string even in the flexible header (KIP-482).
  writer.writeString(clientId)
  if (version >= api.flexibleFrom) writer.writeNoTaggedFields()
}

/** The part that every request header has; `readRequestHeaderEnd` reads the rest once the API is known. */
export function readRequestHeader(reader: ByteReader): RequestHeader {
  return {
    apiKey: reader.readInt16(),
    apiVersion: reader.readInt16(),
    correlationId: reader.readInt32(),
    clientId: reader.readNullableString(),
  }
}

export function readRequestHeaderEnd(reader: ByteReader, api: ApiInfo, version: number): void {
  if (version >= api.flexibleFrom) reader.readTaggedFields()
}

/**
 * Whether the response header has tagged fields. ApiVersions never does: a client asks it before it knows what the
 * broker speaks (KIP-511).
 */
function responseHeaderIsFlexible(api: ApiInfo, version: number): boolean {
  return version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY
}

export function writeResponseHeader(writer: ByteWriter, api: ApiInfo, version: number, correlationId: number): void {
  writer.writeInt32(correlationId)
  if (responseHeaderIsFlexible(api, version)) writer.writeNoTaggedFields()
}

/** What follows the correlation id in a response header. */
export function readResponseHeaderEnd(reader: ByteReader, api: ApiInfo, version: number): void {
  if (responseHeaderIsFlexible(api, version)) reader.readTaggedFields()
}
