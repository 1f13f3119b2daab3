import { MalformedResponseError } from '../errors.js'
import type { RequestEncoder, ResponseDecoder, ResponseEncoder } from './api.js'
import { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { GatheringWriter } from './gathering-writer.js'
import { readResponseHeaderEnd, writeRequestHeader, writeResponseHeader } from './header.js'

/**
 * A request as it goes on the wire: size, header, body. It comes in parts, since large blocks of records are not copied.
 *
 * @param capacity a guess at the body's size, without such blocks, that saves growing
 */
export function encodeRequest<Request>(
  api: RequestEncoder<Request>,
  version: number,
  correlationId: number,
  clientId: string | null,
  request: Request,
  capacity = 256,
): Uint8Array[] {
  const writer = new GatheringWriter(capacity + 32 + (clientId?.length ?? 0) * 3)
  writer.writeInt32(0)
  writeRequestHeader(writer, api, version, correlationId, clientId)
  api.encodeRequest(writer, version, request)
  writer.putInt32(0, writer.byteLength - 4)
  return writer.parts()
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

/**
 * The body of a response whose correlation id has been read and checked: `frame` is all that follows the size. With the
 * request at hand, nothing is built of more than it asked for.
 */
export function decodeResponseFrame<Response>(
  api: ResponseDecoder<Response>,
  version: number,
  frame: Buffer,
  request?: unknown,
): Response {
  const reader = new ByteReader(frame, 4)
  readResponseHeaderEnd(reader, api, version)
  const response = api.decodeResponse(reader, version, request)
  const problem = reader.problem()
  if (problem !== undefined) throw new MalformedResponseError(`${api.name} v${version} response: ${problem}`)
  return response
}

/** How many bytes may be held at once of frames that are not whole yet, on all connections that share it. */
export class GatheringBound {
  private left: number

  constructor(private readonly maxBytes: number) {
    this.left = maxBytes
  }

  /** @throws MalformedResponseError where there is no room for so many more. */
  take(bytes: number): void {
    if (bytes > this.left)
      throw new MalformedResponseError(
        `answers that are not whole yet hold ${this.maxBytes - this.left} bytes, and ${bytes} more are wanted; allowed are ${this.maxBytes} on all connections together`,
      )
    this.left -= bytes
  }

  give(bytes: number): void {
    this.left += bytes
  }
}

const EMPTY = Buffer.alloc(0)
/** Of the buffer that a frame is gathered in, to begin with. */
const FIRST_CAPACITY = 1024

/**
 * Cuts a stream of bytes into frames, each a four-byte size and as many bytes. A size outside `[minSize, maxSize]`
 * throws at once: nothing is gathered for it. A frame that comes in several chunks is gathered in one buffer, which
 * grows with what is there, not with what was announced.
 */
export class FrameSplitter {
  private readonly sizeBytes = Buffer.alloc(4)
  /** How many of these are there of the next frame. */
  private sizeGathered = 0
  /** Size of the frame being gathered; -1 while its four size bytes are not all there. */
  private wanted = -1
  private allowed = 0
  private buffer: Buffer = EMPTY
  private gathered = 0

  /** @param maxSize a function is asked when the first byte of a frame is there; what it throws ends the stream */
  constructor(
    private readonly minSize: number,
    private readonly maxSize: number | (() => number),
    private readonly bound?: GatheringBound,
  ) {}

  /** Whether a frame has begun and is not whole. */
  get isGathering(): boolean {
    return this.sizeGathered > 0 || this.wanted >= 0
  }

  /** Calls `onFrame` for each frame that `chunk` completes, in order. Frames are views; keep a copy, not a view, for long. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let at = 0
    for (;;) {
      if (this.wanted < 0) {
        if (at === chunk.length) return
        at = this.readSize(chunk, at)
        if (this.wanted < 0) return
      }
      const count = Math.min(this.wanted - this.gathered, chunk.length - at)
      let frame: Buffer | undefined
      if (count === this.wanted) frame = chunk.subarray(at, at + count)
      else if (count > 0) frame = this.gather(chunk.subarray(at, at + count))
      if (frame === undefined) return
      at += count
      this.wanted = -1
      onFrame(frame)
    }
  }

  /** Forgets what it has of a frame: the stream is over. */
  clear(): void {
    this.bound?.give(this.buffer.length)
    this.buffer = EMPTY
    this.gathered = this.sizeGathered = 0
    this.wanted = -1
  }

  /** Returns where the chunk goes on after what was read of a size. */
  private readSize(chunk: Buffer, start: number): number {
    if (this.sizeGathered === 0) this.allowed = typeof this.maxSize === 'number' ? this.maxSize : this.maxSize()
    let at = start
    let size: number
    if (this.sizeGathered === 0 && chunk.length - at >= 4) {
      size = chunk.readInt32BE(at)
      at += 4
    } else {
      while (this.sizeGathered < 4 && at < chunk.length) this.sizeBytes[this.sizeGathered++] = chunk[at++] as number
      if (this.sizeGathered < 4) return at
      size = this.sizeBytes.readInt32BE(0)
      this.sizeGathered = 0
    }
    if (size < this.minSize || size > this.allowed)
      throw new MalformedResponseError(`a frame of ${size} bytes, allowed are ${this.minSize} to ${this.allowed}`)
    this.wanted = size
    return at
  }

  /** The frame, once it is whole. */
  private gather(part: Buffer): Buffer | undefined {
    const needed = this.gathered + part.length
    if (needed > this.buffer.length) {
      const capacity = Math.min(this.wanted, Math.max(needed, this.buffer.length * 2, FIRST_CAPACITY))
      this.bound?.take(capacity - this.buffer.length)
      const larger = Buffer.allocUnsafeSlow(capacity)
      this.buffer.copy(larger, 0, 0, this.gathered)
      this.buffer = larger
    }
    part.copy(this.buffer, this.gathered)
    this.gathered = needed
    if (needed < this.wanted) return undefined
    const frame = this.buffer.subarray(0, needed)
    this.clear()
    return frame
  }
}
