import type { BufferSource } from '../../protocol/records/record-batch.js'

/** Sizes of the classes: each is four times the one before, so a batch that grows is copied a third of a time more. */
const CLASS_BYTES = [512, 2_048, 8_192, 32_768, 131_072, 524_288, 2_097_152] as const
/** What is kept for later, in all: as much as is in flight at full speed, and some. */
const MAX_FREE_BYTES = 16 * 1024 * 1024

/**
 * Where batches get the bytes they are written to. A new buffer costs the system a page fault for every four kilobytes,
 * which takes about as long as filling it, so those given back are used again.
 *
 * A buffer is given back only when nobody can read it any more: its batch has its fate, and the system has taken over
 * what was written. Where that is not known (the connection ended first), it is left to the garbage collector. What
 * went wrong elsewhere: records in a topic they were not sent to (KAFKA-19012).
 */
export class BatchBuffers implements BufferSource {
  private readonly free: Buffer[][] = CLASS_BYTES.map(() => [])
  private freeBytes = 0

  take(size: number): Buffer {
    const index = classOf(size)
    if (index < 0) return Buffer.allocUnsafeSlow(size)
    const buffer = this.free[index]?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(CLASS_BYTES[index] as number)
    this.freeBytes -= buffer.length
    return buffer
  }

  giveBack(buffer: Buffer): void {
    const index = classOf(buffer.length)
    if (CLASS_BYTES[index] !== buffer.length || this.freeBytes + buffer.length > MAX_FREE_BYTES) return
    this.freeBytes += buffer.length
    this.free[index]?.push(buffer)
  }
}

/** The smallest class that has room for so many bytes; -1 where none has. */
function classOf(size: number): number {
  for (let i = 0; i < CLASS_BYTES.length; i++) if (size <= (CLASS_BYTES[i] as number)) return i
  return -1
}
