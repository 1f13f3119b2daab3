/**
 * Goes through the records of a batch that this client has written itself, by their places: nothing is copied and
 * nothing checked.
 */
export class RecordCursor {
  /** Which record it is at; -1 before the first. */
  index = -1
  timestampDelta = 0
  /** Where the key's size stands: what follows does not depend on the record's place in its batch. */
  dataAt = 0
  keyAt = 0
  /** -1 for null. */
  keySize = -1
  valueAt = 0
  /** -1 for null. */
  valueSize = -1
  hasHeaders = false
  /** Where the record ends. */
  end: number
  private at = 0

  /**
   * @param bytes holds the records
   * @param start where the first one stands
   * @param limit where the last one ends
   */
  constructor(
    readonly bytes: Buffer,
    start: number,
    private readonly limit: number,
  ) {
    this.end = start
  }

  /** Goes on to the next record; false after the last. */
  next(): boolean {
    if (this.end >= this.limit) return false
    this.index++
    this.at = this.end
    const size = this.varint()
    this.end = this.at + size
    this.at++
    this.timestampDelta = this.varint()
    this.varint()
    this.dataAt = this.at
    this.keySize = this.varint()
    this.keyAt = this.at
    if (this.keySize > 0) this.at += this.keySize
    this.valueSize = this.varint()
    this.valueAt = this.at
    if (this.valueSize > 0) this.at += this.valueSize
    this.hasHeaders = this.bytes[this.at] !== 0
    return true
  }

  /** Bytes of the record's key, its value, and its headers' names and values. */
  get dataBytes(): number {
    let bytes = Math.max(this.keySize, 0) + Math.max(this.valueSize, 0)
    this.at = this.valueAt + Math.max(this.valueSize, 0)
    for (let parts = this.varint() * 2; parts > 0; parts--) {
      const size = Math.max(this.varint(), 0)
      bytes += size
      this.at += size
    }
    return bytes
  }

  /** A zigzag varint, of 53 bits and a sign at the most. */
  private varint(): number {
    const { bytes } = this
    let byte = bytes[this.at++] as number
    const isNegative = (byte & 1) === 1
    let magnitude = (byte & 0x7f) >> 1
    for (let factor = 0x40; byte > 0x7f; factor *= 0x80) {
      byte = bytes[this.at++] as number
      magnitude += (byte & 0x7f) * factor
    }
    return isNegative ? -magnitude - 1 : magnitude
  }
}
