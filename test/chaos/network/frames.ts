/** Finds the requests, or the answers, in a stream of Kafka's frames: a size, and so many bytes. */

/** What stands at the head of a request. */
export interface RequestHead {
  readonly api: number
  readonly correlationId: number
  readonly clientId: string
}

/** Enough for the fixed part of a request's header and the length of its client id. */
const HEAD = 4 + 2 + 2 + 4 + 2

export class Frames {
  /** Of the frame that is under way. */
  private head = Buffer.alloc(0)
  private left = 0
  private isLost = false

  /**
   * @param headBytes how much of a frame, its size included, `onFrame` needs to see
   * @param onFrame called with the head of each frame once all of the frame has passed
   */
  constructor(
    private readonly headBytes: number,
    private readonly onFrame: (head: Buffer) => void,
  ) {}

  passed(chunk: Buffer): void {
    if (this.isLost) return
    let at = 0
    while (at < chunk.length) {
      if (this.left === 0) {
        const needed = 4 - this.head.length
        this.head = Buffer.concat([this.head, chunk.subarray(at, at + needed)])
        at += Math.min(needed, chunk.length - at)
        if (this.head.length < 4) return
        this.left = this.head.readInt32BE()
        // No frames of Kafka's.
        if (this.left <= 0) this.isLost = true
        if (this.isLost) return
      }
      const taken = Math.min(this.left, chunk.length - at)
      if (this.head.length < this.headBytes)
        this.head = Buffer.concat([
          this.head,
          chunk.subarray(at, at + Math.min(taken, this.headBytes - this.head.length)),
        ])
      at += taken
      this.left -= taken
      if (this.left > 0) return
      const head = this.head
      this.head = Buffer.alloc(0)
      this.onFrame(head)
    }
  }
}

/** For any client id under test. */
export const REQUEST_HEAD_BYTES = HEAD + 200

/** Undefined where so much of it is not there yet, or it is none. */
export function requestHead(bytes: Buffer): RequestHead | undefined {
  if (bytes.length < HEAD) return undefined
  const length = Math.max(0, bytes.readInt16BE(HEAD - 2))
  if (bytes.length < HEAD + length) return undefined
  const clientId = bytes.toString('utf8', HEAD, HEAD + length)
  // A producer may ask whether it is TLS that is spoken.
  if (!/^[\w.-]+$/.test(clientId)) return undefined
  return { api: bytes.readInt16BE(4), correlationId: bytes.readInt32BE(8), clientId }
}
