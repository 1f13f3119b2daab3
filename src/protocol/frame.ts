import { MalformedResponseError } from '../errors.js'
import type { RequestEncoder, ResponseDecoder, ResponseEncoder } from './api.js'
import { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { readResponseHeaderEnd, writeRequestHeader, writeResponseHeader } from './header.js'

/**
 * A request as it goes on the wire: size, header, body. `capacity` is a guess at the body's size that saves growing,
 * `allocate` gives the buffer.
 */
export function encodeRequestFrame<Request>(
  api: RequestEncoder<Request>,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: Request,
  capacity = 256,
  allocate?: (size: number) => Buffer,
): Buffer {
  const writer = new ByteWriter(capacity + 32 + (clientId?.length ?? 0) * 3, allocate)
  writer.writeInt32(0)
  writeRequestHeader(writer, api, version, correlationId, clientId)
  api.encodeRequest(writer, version, request)
  writer.putInt32(0, writer.position - 4)
  return writer.bytes()
}

/** A response as it goes on the wire: size, header, body. */
export function encodeResponseFrame<Response>(
  api: ResponseEncoder<Response>,
  version: number,
  correlationId: number,
  response: Response,
): Buffer {
  const writer = new ByteWriter()
  writer.writeInt32(0)
  writeResponseHeader(writer, api, version, correlationId)
  api.encodeResponse(writer, version, response)
  writer.putInt32(0, writer.position - 4)
  return writer.bytes()
}

/** The body of a response whose correlation id has been read and checked: `frame` is all that follows the size. */
export function decodeResponseFrame<Response>(
  api: ResponseDecoder<Response>,
  version: number,
  frame: Buffer,
): Response {
  const reader = new ByteReader(frame, 4)
  readResponseHeaderEnd(reader, api, version)
  const response = api.decodeResponse(reader, version)
  const problem = reader.problem()
  if (problem !== undefined) throw new MalformedResponseError(`${api.name} v${version} response: ${problem}`)
  return response
}

/**
 * Cuts a stream of bytes into frames, each a four-byte size and as many bytes. A size outside `[minSize, maxSize]`
 * throws at once: nothing is gathered for it.
 */
export class FrameSplitter {
  private chunks: Buffer[] = []
  private gathered = 0
  /** Size of the frame being gathered; -1 while its four size bytes are not all there. */
  private wanted = -1

  constructor(
    private readonly minSize: number,
    /** May be raised later: less is allowed of a peer that is not known yet. */
    public maxSize: number,
  ) {}

  /** Calls `onFrame` for each frame that `chunk` completes, in order. Frames are views; keep a copy, not a view, for long. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    this.chunks.push(chunk)
    this.gathered += chunk.length
    for (;;) {
      if (this.wanted < 0) {
        if (this.gathered < 4) return
        this.wanted = this.shift(4).readInt32BE(0)
        if (this.wanted < this.minSize || this.wanted > this.maxSize) {
          throw new MalformedResponseError(
            `a frame of ${this.wanted} bytes, allowed are ${this.minSize} to ${this.maxSize}`,
          )
        }
      }
      if (this.gathered < this.wanted) return
      const frame = this.shift(this.wanted)
      this.wanted = -1
      onFrame(frame)
    }
  }

  private shift(count: number): Buffer {
    this.gathered -= count
    const first = this.chunks[0]
    if (first !== undefined && first.length > count) {
      this.chunks[0] = first.subarray(count)
      return first.subarray(0, count)
    }
    if (first !== undefined && first.length === count) {
      this.chunks.shift()
      return first
    }
    const all = this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks)
    this.chunks = all.length > count ? [all.subarray(count)] : []
    return all.subarray(0, count)
  }
}
