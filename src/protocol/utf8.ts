/** Strings up to this length are measured and written here: for them a call into native code takes longer. */
const SHORT = 32

/** Bytes of a string as UTF-8. */
export function sizeOfUtf8(text: string): number {
  const { length } = text
  if (length > SHORT) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return length
}

/** Writes a string whose {@link sizeOfUtf8} is `size`. */
export function putUtf8(buffer: Buffer, at: number, text: string, size: number): void {
  if (size !== text.length) buffer.write(text, at, size, 'utf8')
  // As many bytes as characters: all of them are ASCII.
  else if (size > SHORT) buffer.write(text, at, size, 'latin1')
  else for (let i = 0; i < size; i++) buffer[at + i] = text.charCodeAt(i)
}
