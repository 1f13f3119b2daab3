import { afterEach, expect, it, vi } from 'vitest'
import { BoundedOutput } from '../../../src/compression/bounded-output.js'
import { CorruptRecordsError } from '../../../src/errors.js'

afterEach(() => {
  vi.restoreAllMocks()
})

it('grows by doubling, up to its bound and not beyond', () => {
  const allocate = vi.spyOn(Buffer, 'allocUnsafe')
  const output = new BoundedOutput(10, 100)
  for (let i = 0; i < 100; i++) {
    output.reserve(1)
    output.buffer[output.length++] = i
  }
  expect(allocate.mock.calls.map(([size]) => size)).toEqual([10, 20, 40, 80, 100])
  expect([...output.bytes()]).toEqual(Array.from({ length: 100 }, (_, i) => i))
  expect(() => output.reserve(1)).toThrow(CorruptRecordsError)
  expect(output.reserveUpTo(50)).toBe(100)
})

it('allocates no more than its bound from the start', () => {
  expect(new BoundedOutput(1000, 7).buffer).toHaveLength(7)
  expect(new BoundedOutput(0, 7).bytes()).toHaveLength(0)
  expect(() => new BoundedOutput(0, 7).reserve(8)).toThrow(CorruptRecordsError)
})
