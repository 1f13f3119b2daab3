import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { types } from 'node:util'

/** A socket; or a stream that the user gave, which need not have what a socket has beside any stream. */
export type Stream = Duplex &
  Partial<Pick<Socket, 'ref' | 'unref' | 'setNoDelay' | 'setKeepAlive' | 'connecting' | 'resetAndDestroy'>>

/** Streams give Buffers; of the user's some may give other bytes. Undefined for what is none. */
export function bufferOf(chunk: unknown): Buffer | undefined {
  if (Buffer.isBuffer(chunk)) return chunk
  return types.isUint8Array(chunk) ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : undefined
}

/** Destroys what may be a stream of the user's; one that throws at that is nobody's any more all the same. */
export function destroyStream(stream: Duplex, error?: Error): void {
  try {
    stream.destroy(error)
  } catch {
    // Whatever it has left open is its own affair.
  }
}

/** Closes a socket, and has the system forget what it has not delivered of it; other streams are destroyed. */
export function reset(stream: Stream): void {
  try {
    // One whose FIN is on its way can't be reset any more: Node would leave it open, and wait for it at its exit for ever.
    if (!stream.writableEnded) stream.resetAndDestroy?.()
  } catch {
    // Node has no reset for TLS, nor for the pipe that a user may give.
  }
  destroyStream(stream)
}
