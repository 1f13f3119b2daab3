import { expect, it } from 'vitest'
import { ByteStream } from '../../bench/sink/byte-stream.js'

it('takes what follows where what was read before ended with its chunk', () => {
  const stream = new ByteStream()
  stream.push(Buffer.from([0, 0, 0, 3]))
  stream.push(Buffer.from([1, 2]))
  stream.push(Buffer.from([3, 4]))
  expect(stream.i32()).toBe(3)
  expect([...stream.take(3)]).toEqual([1, 2, 3])
  expect([stream.u8(), stream.available]).toEqual([4, 0])
})
