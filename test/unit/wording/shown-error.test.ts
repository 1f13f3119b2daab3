import { expect, it } from 'vitest'
import {
  ConnectionFailedError,
  DeliveryError,
  InvalidMessageError,
  InvalidPartitionError,
  SerializationError,
  TransactionAbortedError,
  type KafkaProducerError,
} from '../../../src/index.js'
import { toldReason } from '../../../src/wording/shown-error.js'

const SECRET = 'hunter2'
const thrown = new SyntaxError(`Unexpected token 'h', "${SECRET}" is not valid JSON`)

function asDelivery(cause: KafkaProducerError): KafkaProducerError {
  return new DeliveryError(cause, { topic: 'orders', partition: undefined, attempts: 0, mayHaveBeenWritten: false })
}

it.each([
  ['an encoder', new SerializationError(`value: it threw: ${thrown.message}`, { cause: thrown }), 'value: it threw: SyntaxError'], // prettier-ignore
  ['a partitioner', new InvalidPartitionError(`it threw: ${SECRET}`, { cause: SECRET }), 'it threw: a string'],
  ['an encoder that throws a number', new SerializationError('value: it threw: 4711', { cause: 4711 }), 'value: it threw: a whole number'], // prettier-ignore
  ['a getter', new InvalidMessageError(`can't be read: ${thrown.message}`, { cause: thrown }), "can't be read: SyntaxError"], // prettier-ignore
  [
    'a chain of causes',
    new SerializationError(`value: JSON: ${SECRET}`, {
      cause: new SerializationError(`JSON: ${SECRET}`, { cause: new TypeError(SECRET) }),
    }),
    'value: JSON: TypeError',
  ],
  [
    'an encoder, for which a transaction is aborted,',
    new TransactionAbortedError(new SerializationError(`value: ${SECRET}`, { cause: new TypeError(SECRET) })),
    'the transaction was aborted, since this failed: value: TypeError',
  ],
])('of what %s threw about a message the name is told', (_, error, told) => {
  expect(toldReason(error)).toBe(told)
  expect(toldReason(asDelivery(error))).toBe(told)
})

it.each([
  ['what is said here', new SerializationError('value: given was an object')],
  ['what the system says', new ConnectionFailedError('connect ECONNREFUSED', { cause: new Error('connect ECONNREFUSED') })], // prettier-ignore
])('%s is told as it is', (_, error) => {
  expect(toldReason(error)).toBe(error.message)
})

it('what throws when it is looked at is told all the same', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  expect(toldReason(new SerializationError('it threw', { cause: proxy }))).toBe('it threw')
})
