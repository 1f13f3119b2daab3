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
  /**
   * From this version on it is the client that waits where it is throttled; an older broker has held its answer back for so
   * long (KIP-219). Left out: in all versions.
   */
  readonly clientThrottlesFrom?: number
  encodeRequest(writer: ByteWriter, version: number, request: Request): void
  decodeRequest(reader: ByteReader, version: number): Request
  encodeResponse(writer: ByteWriter, version: number, response: Response): void
  /** @param request what was asked, where the reader of the answer knows it: more than that is refused or skipped */
  decodeResponse(reader: ByteReader, version: number, request?: Request): Response
  /** How many bytes the answer to a request can have at the most; left out, {@link maxResponseBytes} goes by its size. */
  maxResponseBytes?(request: Request): number
}

/** What of an API matters to headers and version choice. */
export type ApiInfo = Pick<Api<never, never>, 'key' | 'name' | 'minVersion' | 'maxVersion' | 'flexibleFrom'>

/** Whether the wait that an answer tells of is still to come, and the client's: see {@link Api.clientThrottlesFrom}. */
export function isThrottleAhead(api: Pick<Api<never, never>, 'clientThrottlesFrom'>, version: number): boolean {
  return version >= (api.clientThrottlesFrom ?? 0)
}

/** The half of an API that a side needs. */
export type RequestEncoder<Request> = ApiInfo & Pick<Api<Request, unknown>, 'encodeRequest' | 'maxResponseBytes'>
export type ResponseDecoder<Response> = ApiInfo & Pick<Api<unknown, Response>, 'decodeResponse'>
export type ResponseEncoder<Response> = ApiInfo & Pick<Api<unknown, Response>, 'encodeResponse'>

/** Of an answer that does not grow with what was asked, with much to spare. */
const FIXED_RESPONSE_BYTES = 64 * 1024
/** What an answer has for each thing asked for is at the most so much larger than that was in the request. */
const RESPONSE_GROWTH = 4

/** How many bytes the answer to a request of `requestBytes` can have at the most. */
export function maxResponseBytes<Request>(
  api: RequestEncoder<Request>,
  request: Request,
  requestBytes: number,
): number {
  return api.maxResponseBytes?.(request) ?? FIXED_RESPONSE_BYTES + requestBytes * RESPONSE_GROWTH
}

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
