import type { BufferSource } from '../../protocol/records/record-batch.js'

/**
 * Sizes of the classes: each is four times the one before, so a batch that grows is copied a third of a time more. A batch
 * of `batchBytes`' default, 1,000,000, fills one of them.
 */
const CLASS_BYTES = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304] as const
/** Beyond them sizes are multiples of this one: a batch that grows is not copied for each of its messages. */
const STEP_BYTES = 4_194_304
/** What is kept for later, in all: as much as is in flight at full speed, and some. */
const MAX_FREE_BYTES = 16 * 1024 * 1024
/** The most that is made for what is only expected: where little comes after all, little is wasted. */
const MAX_EXPECTED_BYTES = 65_536

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

  take(size: number, expected = size): Buffer {
    const least = Math.max(size, Math.min(expected, MAX_EXPECTED_BYTES))
    return this.takeFree(Math.max(size, expected)) ?? this.takeFree(least) ?? Buffer.allocUnsafeSlow(lengthFor(least))
  }

  private takeFree(size: number): Buffer | undefined {
    const buffer = this.free[classOf(size)]?.pop()
    if (buffer !== undefined) this.freeBytes -= buffer.length
    return buffer
  }

  giveBack(buffer: Buffer): void {
    const index = classOf(buffer.length)
    if (CLASS_BYTES[index] !== buffer.length || this.freeBytes + buffer.length > MAX_FREE_BYTES) return
    this.freeBytes += buffer.length
    this.free[index]?.push(buffer)
  }
}

function lengthFor(size: number): number {
  return CLASS_BYTES[classOf(size)] ?? Math.ceil(size / STEP_BYTES) * STEP_BYTES
}

/** The smallest class that has room for so many bytes; -1 where none has. */
function classOf(size: number): number {
  for (let i = 0; i < CLASS_BYTES.length; i++) if (size <= (CLASS_BYTES[i] as number)) return i
  return -1
}
