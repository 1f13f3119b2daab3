import { ByteWriter } from './byte-writer.js'

/** Blocks below this size are copied: for them a part of their own in the write costs more. */
export const COPIED_BELOW = 4_096

/**
 * A writer that takes large blocks by reference. What it has written is a list of parts, for one gathered write to a
 * socket; the blocks must not change before that is done.
 */
export class GatheringWriter extends ByteWriter {
  private readonly blocks: { readonly at: number; readonly bytes: Uint8Array }[] = []
  private blockBytes = 0

  /** Bytes in all, the blocks included. */
  get byteLength(): number {
    return this.position + this.blockBytes
  }

  override writeBlock(bytes: Uint8Array): void {
    if (bytes.length < COPIED_BELOW) return this.writeRaw(bytes)
    this.blocks.push({ at: this.position, bytes })
    this.blockBytes += bytes.length
  }

  /** All that was written, in order. */
  parts(): Uint8Array[] {
    const parts: Uint8Array[] = []
    let from = 0
    for (const { at, bytes } of this.blocks) {
      if (at > from) parts.push(this.buffer.subarray(from, at))
      parts.push(bytes)
      from = at
    }
    if (this.position > from) parts.push(this.buffer.subarray(from, this.position))
    return parts
  }
}
