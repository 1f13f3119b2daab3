import type { Freed } from './batch.js'
import type { OutgoingMessage } from './outgoing-message.js'

/** How much of the room may be taken by messages for topics without metadata: they may be for topics that don't exist. */
const UNKNOWN_SHARE = 0.5

/**
 * The bound of what one producer holds: messages and bytes, waiting and in flight together. What a message takes is
 * known in full only when its strings are written, so it takes the most it can come to, and what that was too much is
 * given back then. Where that finds no room, or the message has to wait, it is measured first.
 *
 * Whoever gives some back need not know who waits for it: that is told here, once, when the step is over.
 */
export class Room {
  private messageCount = 0
  private byteCount = 0
  private unknownMessageCount = 0
  private unknownByteCount = 0
  private isShareFreed = false
  /** Some was given back, which is not told yet. */
  private hasNews = false
  /** Bytes that those for topics without metadata may take. */
  private readonly unknownShare: number
  private readonly tellLater = () => this.tell()
  private readonly whenEmpty: (() => void)[] = []

  /** @param onFreed called when some was given back, in the midst of nothing */
  constructor(
    readonly maxMessages: number,
    readonly maxBytes: number,
    private readonly onFreed: () => void,
  ) {
    this.unknownShare = Math.floor(maxBytes * UNKNOWN_SHARE)
  }

  get messages(): number {
    return this.messageCount
  }

  get bytes(): number {
    return this.byteCount
  }

  /** Those that were taken in while their topic had no metadata, and have no partition yet. */
  get unknownMessages(): number {
    return this.unknownMessageCount
  }

  get unknownBytes(): number {
    return this.unknownByteCount
  }

  /** Whether one for a topic without metadata may come in, as far as their share goes. One of them alone always may. */
  hasShareFor(message: OutgoingMessage): boolean {
    if (this.unknownMessageCount === 0) return true
    return (
      this.unknownMessageCount < this.maxMessages * UNKNOWN_SHARE &&
      this.unknownByteCount + message.exactBytes() <= this.unknownShare
    )
  }

  /** Takes a message in, where there is room. One alone always finds it, however large. */
  take(message: OutgoingMessage, isOfUnknownTopic: boolean): boolean {
    let bytes = this.held(message.mostBytes, isOfUnknownTopic)
    if (!this.fits(bytes)) {
      bytes = this.held(message.exactBytes(), isOfUnknownTopic)
      if (!this.fits(bytes)) return false
    }
    message.isAdmitted = true
    message.room = bytes
    this.messageCount++
    this.byteCount += bytes
    if (isOfUnknownTopic) {
      message.isOfUnknownTopic = true
      this.unknownMessageCount++
      this.unknownByteCount += bytes
    }
    return true
  }

  hasRoomFor(message: OutgoingMessage, isOfUnknownTopic: boolean): boolean {
    return (
      this.fits(this.held(message.mostBytes, isOfUnknownTopic)) ||
      this.fits(this.held(message.exactBytes(), isOfUnknownTopic))
    )
  }

  /**
   * What a message of so many bytes takes. One alone for a topic without metadata comes in however large it is, and takes no
   * more than the share: the topic may not exist, and others would find no room until the message's deadline.
   */
  private held(bytes: number, isOfUnknownTopic: boolean): number {
    const isLimited = isOfUnknownTopic && this.unknownMessageCount === 0 && bytes > this.unknownShare
    return isLimited ? this.unknownShare : bytes
  }

  private fits(bytes: number): boolean {
    return this.messageCount < this.maxMessages && (this.byteCount + bytes <= this.maxBytes || this.messageCount === 0)
  }

  /** The message has to wait: it holds no more than it comes to. */
  measure(message: OutgoingMessage): void {
    const held = message.room ?? 0
    const bytes = Math.min(message.exactBytes(), held)
    this.byteCount -= held - bytes
    if (message.isOfUnknownTopic) this.unknownByteCount -= held - bytes
    message.room = bytes
  }

  /** The message has found its partition, where it came to so many bytes, which its batch gives back with the others. */
  placed(message: OutgoingMessage, bytes: number): void {
    this.leaveShare(message)
    this.byteCount += bytes - (message.room ?? 0)
    message.room = bytes
  }

  /** It counts among those for unknown topics no longer. */
  private leaveShare(message: OutgoingMessage): void {
    if (!message.isOfUnknownTopic) return
    message.isOfUnknownTopic = false
    this.unknownMessageCount--
    this.unknownByteCount -= message.room ?? 0
    this.isShareFreed = true
    this.noteFreed()
  }

  /** Whether some of the share for topics without metadata was given back since this was last asked. */
  wasShareFreed(): boolean {
    const was = this.isShareFreed
    this.isShareFreed = false
    return was
  }

  /** A message that is in no batch gives back what it holds. */
  leave(message: OutgoingMessage): void {
    const bytes = message.room
    if (bytes === undefined) return
    this.leaveShare(message)
    message.room = undefined
    this.release({ messages: 1, bytes })
  }

  release({ messages, bytes }: Freed): void {
    this.messageCount -= messages
    this.byteCount -= bytes
    this.noteFreed()
  }

  private noteFreed(): void {
    if (this.hasNews) return
    this.hasNews = true
    queueMicrotask(this.tellLater)
  }

  /** Whose step is over has it told at once what was given back. */
  tell(): void {
    if (!this.hasNews) return
    this.hasNews = false
    this.onFreed()
    if (this.messageCount === 0) for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  /** Resolves when nothing is held any more: no message waits, and no broker owes an answer for one. */
  emptied(): Promise<void> {
    if (this.messageCount === 0) return Promise.resolve()
    return new Promise((resolve) => this.whenEmpty.push(resolve))
  }
}
