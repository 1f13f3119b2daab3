import type { SerializedMessage } from './serialized-message.js'

/** How much of the room may be taken by messages for topics without metadata: they may be for topics that don't exist. */
const UNKNOWN_SHARE = 0.5

/** The bound of what one producer holds: messages and bytes, waiting and in flight together. */
export class BufferBound {
  messages = 0
  bytes = 0
  /** Those of them that were taken in while their topic had no metadata, and have no partition yet. */
  unknownMessages = 0
  unknownBytes = 0

  constructor(
    readonly maxMessages: number,
    readonly maxBytes: number,
  ) {}

  /** Whether a message of so many bytes may come in. One alone always may, however large. */
  hasRoomFor(bytes: number): boolean {
    return this.messages < this.maxMessages && (this.bytes + bytes <= this.maxBytes || this.messages === 0)
  }

  /** Whether one for a topic without metadata may, as far as the share of those goes. One of them alone always may. */
  hasShareFor(bytes: number): boolean {
    if (this.unknownMessages === 0) return true
    return (
      this.unknownMessages < this.maxMessages * UNKNOWN_SHARE &&
      this.unknownBytes + bytes <= this.maxBytes * UNKNOWN_SHARE
    )
  }

  take(message: SerializedMessage, isUnknown: boolean): void {
    this.messages++
    this.bytes += message.bytes
    message.room = isUnknown ? 'unknown' : 'known'
    if (!isUnknown) return
    this.unknownMessages++
    this.unknownBytes += message.bytes
  }

  /** The message has found its partition, or its fate: it counts among those for unknown topics no longer. */
  leaveShare(message: SerializedMessage): void {
    if (message.room !== 'unknown') return
    message.room = 'known'
    this.unknownMessages--
    this.unknownBytes -= message.bytes
  }

  release(messages: number, bytes: number): void {
    this.messages -= messages
    this.bytes -= bytes
  }
}
