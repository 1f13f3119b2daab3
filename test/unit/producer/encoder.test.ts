import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { InvalidConfigError, SerializationError } from '../../../src/errors.js'
import {
  DefaultEncoder,
  IntegerEncoder,
  JsonEncoder,
  LongEncoder,
  NullEncoder,
  StringEncoder,
  type Encoder,
  type EncoderContext,
} from '../../../src/producer/encoder.js'

const CONTEXT: EncoderContext = { topic: 'orders', headers: undefined, part: 'value' }

function hex(data: unknown): string {
  if (!(data instanceof Uint8Array)) throw new Error('expected bytes')
  return Buffer.from(data).toString('hex')
}

/** Whether a value of the wrong type, which only callers without types can give, is refused with these words. */
function expectRefused(encoder: Encoder<never>, value: unknown, words: RegExp): void {
  const encode = () => (encoder as Encoder).encode(value, CONTEXT)
  expect(encode).toThrow(SerializationError)
  expect(encode).toThrow(words)
  expect(encode).toThrow(/^topic 'orders': /)
}

describe('DefaultEncoder', () => {
  const encoder = new DefaultEncoder()

  it('hands bytes, strings and null on as they are', () => {
    for (const value of [new Uint8Array([1, 2]), Buffer.from('x'), new Uint8Array(), 'ключ', '', null]) {
      expect(encoder.encode(value, CONTEXT)).toBe(value)
    }
  })

  it('takes an ArrayBuffer and a DataView without a copy', () => {
    const bytes = new Uint8Array([0, 1, 2, 3])
    const fromBuffer = encoder.encode(bytes.buffer, CONTEXT)
    const fromView = encoder.encode(new DataView(bytes.buffer, 1, 2), CONTEXT)
    expect([hex(fromBuffer), hex(fromView)]).toEqual(['00010203', '0102'])
    bytes[1] = 9
    expect([hex(fromBuffer), hex(fromView)]).toEqual(['00090203', '0902'])
  })

  it('knows bytes made in another realm', () => {
    const foreign = runInNewContext('new Uint8Array([7])') as Uint8Array
    expect(foreign).not.toBeInstanceOf(Uint8Array)
    expect(encoder.encode(foreign, CONTEXT)).toBe(foreign)
  })

  it.each([
    [undefined, /encode undefined/],
    [42, /encode a whole number:/],
    [4.2, /encode a number with a fraction:/],
    [NaN, /encode the number NaN:/],
    [5n, /encode a bigint:/],
    [true, /a boolean/],
    [{ total: 1 }, /an object \(Object\)/],
    [Object.create(null), /an object \(no class\)/],
    [new Date(0), /an object \(Date\)/],
    [new Uint16Array(1), /an object \(Uint16Array\)/],
  ])('refuses %s and names its type and the remedy', (value, words) => {
    expectRefused(encoder, value, words)
    expectRefused(encoder, value, /expected bytes, a string or null; .*JsonEncoder/)
  })

  it('does not put what is in an object into the error, it may be secret', () => {
    expect(() => encoder.encode({ password: 'hunter2' } as never, CONTEXT)).not.toThrow(/hunter2/)
  })
})

describe('StringEncoder', () => {
  it('leaves UTF-8 to the writer of the request', () => {
    expect(new StringEncoder().encode('日本語', CONTEXT)).toBe('日本語')
  })

  it.each(['utf8', 'utf-8', 'UTF-8', 'UTF8', 'utf_8'])('knows %s', (name) => {
    expect(new StringEncoder(name).encode('é', CONTEXT)).toBe('é')
  })

  // What Java makes of each encoding is in the golden vectors; here are the other names.
  it.each([
    ['utf16le', 'e900'],
    ['ucs2', 'e900'],
    ['ucs-2', 'e900'],
    ['utf-16', 'feff00e9'],
    ['latin1', 'e9'],
    ['iso-8859-1', 'e9'],
    ['ISO8859_1', 'e9'],
  ])('knows %s', (name, bytes) => {
    expect(hex(new StringEncoder(name).encode('é', CONTEXT))).toBe(bytes)
  })

  it.each(['ascii', 'US-ASCII'])('knows %s', (name) => {
    expect(hex(new StringEncoder(name).encode('a~', CONTEXT))).toBe('617e')
  })

  it('refuses an encoding it does not know', () => {
    for (const name of ['base64', 'hex', 'utf-32', '', 'constructor']) {
      expect(() => new StringEncoder(name)).toThrow(InvalidConfigError)
    }
    expect(() => new StringEncoder('hex')).toThrow(/'hex'.*utf-16le/)
    expect(() => new StringEncoder(null as never)).toThrow(InvalidConfigError)
  })

  it('refuses a character the encoding does not have rather than store another', () => {
    expectRefused(new StringEncoder('latin1'), 'ab€', /index 2 .* latin1; use utf8/)
    expectRefused(new StringEncoder('latin1'), '\u0100', /index 0/)
    expectRefused(new StringEncoder('ascii'), 'é', /index 0 .* ascii/)
  })

  it.each(['utf8', 'utf-16', 'latin1'])('keeps null and refuses what is no string, in %s', (name) => {
    const encoder = new StringEncoder(name)
    expect(encoder.encode(null, CONTEXT)).toBeNull()
    expectRefused(encoder, 42, /a whole number: expected a string or null; .*String\(value\)/)
    expectRefused(encoder, undefined, /undefined/)
    expectRefused(encoder, Buffer.from('x'), /Buffer/)
  })
})

describe('NullEncoder', () => {
  it('always encodes to null', () => {
    const encoder: Encoder = new NullEncoder()
    for (const value of ['x', 42, {}, undefined, null]) expect(encoder.encode(value, CONTEXT)).toBeNull()
  })
})

describe('IntegerEncoder', () => {
  const encoder = new IntegerEncoder()

  it.each([
    [0, '00000000'],
    [-0, '00000000'],
    [1, '00000001'],
    [-1, 'ffffffff'],
    [0x12345678, '12345678'],
    [2147483647, '7fffffff'],
    [-2147483648, '80000000'],
  ])('%d is %s', (value, bytes) => {
    expect(hex(encoder.encode(value, CONTEXT))).toBe(bytes)
  })

  it('keeps null', () => expect(encoder.encode(null, CONTEXT)).toBeNull())

  it.each([2147483648, -2147483649, 1.5, NaN, Infinity, 5n, '5', undefined, {}])('refuses %s', (value) => {
    expectRefused(encoder, value, /expected an integer from -2147483648 to 2147483647; LongEncoder/)
  })
})

describe('LongEncoder', () => {
  const encoder = new LongEncoder()

  it.each([
    [0, '0000000000000000'],
    [-1, 'ffffffffffffffff'],
    [-1n, 'ffffffffffffffff'],
    [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    [Number.MIN_SAFE_INTEGER, 'ffe0000000000001'],
    [2n ** 63n - 1n, '7fffffffffffffff'],
    [-(2n ** 63n), '8000000000000000'],
  ])('%s is %s', (value, bytes) => {
    expect(hex(encoder.encode(value, CONTEXT))).toBe(bytes)
  })

  it('keeps null', () => expect(encoder.encode(null, CONTEXT)).toBeNull())

  it.each([2n ** 63n, -(2n ** 63n) - 1n, 2 ** 53, 0.5, NaN, '5', undefined])('refuses %s', (value) => {
    expectRefused(encoder, value, /expected a bigint of 64 bits or a safe integer; .*as bigint/)
  })
})

describe('JsonEncoder', () => {
  const encoder = new JsonEncoder()

  it.each([
    [{ total: 42 }, '{"total":42}'],
    ['text', '"text"'],
    [[1, 'é'], '[1,"é"]'],
    [0, '0'],
    [false, 'false'],
  ])('%j is %s', (value, text) => {
    expect(encoder.encode(value, CONTEXT)).toBe(text)
  })

  it('makes null a tombstone and not the text null', () => expect(encoder.encode(null as never, CONTEXT)).toBeNull())

  it.each([undefined, () => 1, Symbol('s'), { toJSON: () => undefined }])(
    'refuses what JSON has no text for',
    (value) => {
      expectRefused(encoder, value, /expected a value that JSON can hold/)
    },
  )

  it.each<[string, unknown]>([
    ['NaN', NaN],
    ['Infinity', -Infinity],
    ['an invalid Date', new Date(NaN)],
    ['a Map', new Map([['a', 1]])],
    ['a Map of another realm', runInNewContext("new Map([['a', 1]])")],
    ['a Set', new Set([1])],
    ['a promise, whose value somebody forgot to wait for', Promise.resolve(1)],
    ['an Error', Object.assign(new Error('x'), { code: 'X' })],
    ['an Error of another realm', runInNewContext("Object.assign(new Error('x'), { code: 'X' })")],
    ['an ArrayBuffer', new ArrayBuffer(1)],
    ['a Uint8Array', new Uint8Array([1])],
    ['a Float64Array', new Float64Array([1])],
    ['a RegExp', /x/],
    ['what fetch() gives', new Response('{"a":1}')],
    ['Headers', new Headers({ a: 'b' })],
    ['URLSearchParams', new URLSearchParams({ a: 'b' })],
    ['FormData', new FormData()],
    ['a Blob', new Blob(['x'])],
    ['an iterator', new Map([['a', 1]]).values()],
    ['what is iterated over', { *[Symbol.iterator]() {} }], // eslint-disable-line @typescript-eslint/no-empty-function
  ])('refuses %s, which JSON takes for nothing or for something else', (_, value) => {
    expectRefused(encoder, value, /expected a value that JSON can hold/)
  })

  it.each<[unknown, string]>([
    [new (class Empty {})(), '{}'],
    [new (class Point { x = 1 })(), '{"x":1}'], // prettier-ignore
    [Object.assign(new Map(), { toJSON: () => [1] }), '[1]'],
    [Buffer.from('x'), '{"type":"Buffer","data":[120]}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ n: NaN }, '{"n":null}'],
    [{}, '{}'],
  ])('takes what says itself how it is written, and instances of classes: %j', (value, text) => {
    expect(encoder.encode(value as object, CONTEXT)).toBe(text)
  })

  it('tells what JSON.stringify threw', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expectRefused(encoder, cycle, /circular/)
    expectRefused(encoder, { n: 1n }, /BigInt/)
    expect(() => encoder.encode(cycle, CONTEXT)).toThrow(expect.objectContaining({ cause: expect.any(TypeError) }))
  })
})
