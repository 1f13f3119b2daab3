/** The bound of what one producer holds: messages and bytes, waiting and in flight together. */
export class BufferBound {
  messages = 0
  bytes = 0

  constructor(
    readonly maxMessages: number,
    readonly maxBytes: number,
  ) {}

  /** Whether a message of so many bytes may come in. One alone always may, however large. */
  hasRoomFor(bytes: number): boolean {
    return this.messages < this.maxMessages && (this.bytes + bytes <= this.maxBytes || this.messages === 0)
  }

  take(bytes: number): void {
    this.messages++
    this.bytes += bytes
  }

  release(messages: number, bytes: number): void {
    this.messages -= messages
    this.bytes -= bytes
  }
}
