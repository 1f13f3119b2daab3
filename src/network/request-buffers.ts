/** Smaller requests are not worth it. */
const MIN_BYTES = 16 * 1024
/** Of each buffer; the system backs only what is written to. Requests are this large only for one large batch. */
const BUFFER_BYTES = 2 * 1024 * 1024
/** As many as one connection has requests in flight by default, and some. */
const MAX_FREE = 8

/**
 * Buffers of large requests, to be used again after the answer. A new one costs the system a page fault for every four
 * kilobytes, which takes about as long as filling them.
 */
export class RequestBuffers {
  private readonly free: Buffer[] = []
  private readonly own = new WeakMap<ArrayBufferLike, Buffer>()

  readonly allocate = (size: number): Buffer => {
    if (size < MIN_BYTES || size > BUFFER_BYTES) return Buffer.allocUnsafe(size)
    let buffer = this.free.pop()
    if (buffer === undefined) {
      buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
      this.own.set(buffer.buffer, buffer)
    }
    return buffer
  }

  /** Takes back what a request was written to, when nobody reads it any more. Any other buffer is left alone. */
  release(frame: Buffer): void {
    const buffer = this.own.get(frame.buffer)
    if (buffer !== undefined && this.free.length < MAX_FREE) this.free.push(buffer)
  }
}
