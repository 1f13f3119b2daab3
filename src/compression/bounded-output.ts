import { CorruptRecordsError } from '../errors.js'

/** A buffer that grows with what is decompressed into it, and never beyond a bound. */
export class BoundedOutput {
  buffer: Buffer
  /** How much of it is written. */
  length = 0

  constructor(
    expected: number,
    private readonly maxBytes: number,
  ) {
    this.buffer = Buffer.allocUnsafe(Math.min(expected, maxBytes))
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  /** Makes room for `count` more bytes, or fails. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed > this.maxBytes) throw tooLarge(this.maxBytes)
    this.grow(needed)
  }

  /** Makes room for `count` more bytes, or as many as the bound leaves; returns where that room ends. */
  reserveUpTo(count: number): number {
    const end = Math.min(this.length + count, this.maxBytes)
    this.grow(end)
    return end
  }

  private grow(needed: number): void {
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.min(Math.max(needed, this.buffer.length * 2), this.maxBytes))
    this.buffer.copy(grown, 0, 0, this.length)
    this.buffer = grown
  }
}

export function tooLarge(maxBytes: number): CorruptRecordsError {
  return new CorruptRecordsError(`compressed records that grow beyond ${maxBytes} bytes`)
}
