import { UnsupportedVersionError } from '../errors.js'
import type { ByteReader } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'

/**
 * One request of the Kafka protocol and its response, in every version. Each file in `apis/` makes one of these.
 * Both directions are there: the producer encodes requests and decodes responses, the embedded broker the reverse.
 * A decoder reads straight through; its caller asks the reader once whether all fitted.
 */
export interface Api<Request, Response> {
  readonly key: number
  readonly name: string
  /** The lowest and highest version that the codecs below have. */
  readonly minVersion: number
  readonly maxVersion: number
  /** The first flexible version (KIP-482): compact lengths and tagged fields, in header and body. */
  readonly flexibleFrom: number
  encodeRequest(writer: ByteWriter, version: number, request: Request): void
  decodeRequest(reader: ByteReader, version: number): Request
  encodeResponse(writer: ByteWriter, version: number, response: Response): void
  decodeResponse(reader: ByteReader, version: number): Response
}

/** What of an API matters to headers and version choice. */
export type ApiInfo = Pick<Api<never, never>, 'key' | 'name' | 'minVersion' | 'maxVersion' | 'flexibleFrom'>

/** The half of an API that a side needs. */
export type RequestEncoder<Request> = ApiInfo & Pick<Api<Request, unknown>, 'encodeRequest'>
export type ResponseDecoder<Response> = ApiInfo & Pick<Api<unknown, Response>, 'decodeResponse'>
export type ResponseEncoder<Response> = ApiInfo & Pick<Api<unknown, Response>, 'encodeResponse'>

/**
 * What an encoder throws for a value that its version has no place for and that must not get lost silently. Only hints
 * are left out in silence: what a broker may heed or not, or what an older client could not have asked for.
 */
export function unsupportedField(api: string, version: number, field: string): UnsupportedVersionError {
  return new UnsupportedVersionError(`${api} v${version} has no place for ${field}`)
}

/** The element of a list for which an older version has room for one alone. */
export function onlyElement<T>(items: readonly T[], api: string, version: number, field: string): T {
  const [item] = items
  if (item === undefined || items.length > 1) throw unsupportedField(api, version, `${items.length} ${field}`)
  return item
}
