/** Where a program runs in a context of its own, as under Jest, what Node gives is of another realm than its classes. */
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { Producer, type Codec } from '../../../src/index.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'
import { isAbort } from '../../../src/testing/waiting.js'
import { thrownMessage } from '../../../src/wording/thrown-message.js'

const foreign = runInNewContext('({ Promise, Error })') as { Promise: PromiseConstructor; Error: ErrorConstructor }

it.each([
  ['is used', (bytes: Buffer) => foreign.Promise.resolve(bytes), 1],
  ['is handled where it rejects', () => foreign.Promise.reject<Buffer>(new foreign.Error('no such thing')), 0],
])('what a codec promises %s, whatever realm its promise is of', async (_, promise, stored) => {
  await using kafka = await EmbeddedKafka.start({ topics: { orders: {} } })
  const codec: Codec = {
    name: 'gzip',
    id: 1,
    compress: (input) => promise(gzipSync(input)),
    decompress: () => Buffer.alloc(0),
  }
  await using producer = new Producer({ brokers: kafka.bootstrap, codecs: [codec], compression: 'gzip' })
  await producer.send({ topic: 'orders', value: 'x'.repeat(20_000) })
  expect(kafka.records('orders')).toMatchObject([{ codec: stored, value: Buffer.from('x'.repeat(20_000)) }])
})

it('the end of a wait is known by what it is called', () => {
  expect(isAbort(Object.assign(new foreign.Error('aborted'), { name: 'AbortError' }))).toBe(true)
  expect(isAbort(new foreign.Error('another'))).toBe(false)
  expect(isAbort(new DOMException('aborted', 'AbortError'))).toBe(true)
  expect(isAbort(null)).toBe(false)
})

it('an error tells its message, and what is none tells nothing', () => {
  expect(thrownMessage(new foreign.Error('refused'))).toBe('refused')
  expect(thrownMessage(new DOMException('late', 'TimeoutError'))).toBe('late')
  expect(thrownMessage('a password')).toBeUndefined()
  expect(thrownMessage(undefined)).toBeUndefined()
})
