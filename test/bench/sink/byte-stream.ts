/** Chunks as they come from a socket, read as one: nothing is copied but what `take` gives. */
export class ByteStream {
  /** How many bytes are there and not read yet. */
  available = 0
  private chunks: Buffer[] = []
  /** Of the chunk being read, and the place in it. */
  private index = 0
  private at = 0

  push(chunk: Buffer): void {
    if (this.index > 0) {
      this.chunks.splice(0, this.index)
      this.index = 0
    }
    this.chunks.push(chunk)
    this.available += chunk.length
  }

  u8(): number {
    let chunk = this.chunks[this.index]
    while (chunk !== undefined && this.at === chunk.length) {
      this.at = 0
      chunk = this.chunks[++this.index]
    }
    if (chunk === undefined) throw new Error('read beyond the end')
    this.available--
    return chunk[this.at++] as number
  }

  i16(): number {
    return (((this.u8() << 8) | this.u8()) << 16) >> 16
  }

  i32(): number {
    return (this.u8() << 24) | (this.u8() << 16) | (this.u8() << 8) | this.u8()
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new Error('a varint that does not end')
  }

  skip(count: number): void {
    if (count < 0 || count > this.available) throw new Error(`skips ${count} of ${this.available} bytes`)
    this.available -= count
    this.leaveRead()
    let left = count
    while (left > 0) {
      const chunk = this.chunks[this.index] as Buffer
      const here = Math.min(left, chunk.length - this.at)
      left -= here
      this.at += here
      this.leaveRead()
    }
  }

  /** Goes on to the next chunk where this one is read. */
  private leaveRead(): void {
    if (this.at !== this.chunks[this.index]?.length) return
    this.at = 0
    this.index++
  }

  /** A copy of the next bytes. */
  take(count: number): Buffer {
    if (count > this.available) throw new Error(`takes ${count} of ${this.available} bytes`)
    const copy = Buffer.allocUnsafe(count)
    for (let i = 0; i < count;) {
      const chunk = this.chunks[this.index] as Buffer
      // None where what was read before ended with its chunk: to skip that is to go on to the next.
      const here = Math.min(count - i, chunk.length - this.at)
      chunk.copy(copy, i, this.at, this.at + here)
      i += here
      this.skip(here)
    }
    return copy
  }
}
