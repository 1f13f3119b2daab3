import fc from 'fast-check'
import { expect, it } from 'vitest'
import { putUtf8, sizeOfUtf8 } from '../../../src/protocol/utf8.js'

it('measures and writes as Node does, and nothing beyond', () => {
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
        const bytes = Buffer.from(string)
        expect(sizeOfUtf8(string)).toBe(bytes.length)
        const buffer = Buffer.alloc(bytes.length + 4, 0xee)
        putUtf8(buffer, 2, string, bytes.length)
        expect(buffer.subarray(2, -2)).toEqual(bytes)
        expect(buffer.toString('hex', 0, 2) + buffer.toString('hex', buffer.length - 2)).toBe('eeeeeeee')
      },
    ),
    { numRuns: 2_000 },
  )
})
