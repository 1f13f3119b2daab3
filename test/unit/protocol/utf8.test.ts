import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sizeOfUtf8 } from '../../../src/protocol/utf8.js'

it('measures as Node does', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.string({ maxLength: 80 }),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.constantFrom(
          'x'.repeat(32),
          'x'.repeat(33),
          `${'x'.repeat(31)}é`,
          `${'x'.repeat(40)}é`,
          '\ud800',
          '\u007f\u0080',
        ),
      ),
      (string) => {
        expect(sizeOfUtf8(string)).toBe(Buffer.byteLength(string))
      },
    ),
    { numRuns: 2_000 },
  )
})
