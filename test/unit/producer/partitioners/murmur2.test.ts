import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { murmur2 } from '../../../../src/producer/partitioners/murmur2.js'

// Java's own answers are in the golden vectors.
describe('murmur2', () => {
  it('hashes what Kafka documents', () => {
    expect(murmur2('21')).toBe(-973932308)
    expect(murmur2('foobar')).toBe(-790332482)
    expect(murmur2('a-little-bit-long-string')).toBe(-985981536)
    expect(murmur2('a-little-bit-longer-string')).toBe(-1486304829)
    expect(murmur2('lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8')).toBe(-58897971)
    expect(murmur2(new Uint8Array([97, 98, 99]))).toBe(479470107)
  })

  it('hashes a string as its UTF-8, wherever the first letter beyond ASCII is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => murmur2(text) === murmur2(Buffer.from(text))),
      { numRuns: 300 },
    )
    for (const ascii of ['', '\0\0\0', 'a', 'ab', 'abc', 'abcd', 'abcde']) {
      for (const text of [`${ascii}é`, `é${ascii}`, `${ascii}\u0080`, `${ascii}\u007f`, `${ascii}😀z`]) {
        expect(murmur2(text), text).toBe(murmur2(Buffer.from(text)))
      }
    }
  })

  it('hashes a lone surrogate as what is stored for it', () => {
    expect(murmur2('a\ud83d')).toBe(murmur2(Buffer.from('a\ufffd')))
  })

  it('reads only the part of a buffer that a view shows', () => {
    const whole = Buffer.from('xxorder-17xx')
    expect(murmur2(whole.subarray(2, 10))).toBe(murmur2('order-17'))
  })
})
