// As a global it is a getter, whose call takes as long as a third of the measuring.
import { Buffer } from 'node:buffer'

/** Strings up to this length are measured here: for them a call into native code takes longer. */
const SHORT = 32

/** Bytes of a string as UTF-8. */
export function sizeOfUtf8(text: string): number {
  const { length } = text
  if (length > SHORT) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return length
}
