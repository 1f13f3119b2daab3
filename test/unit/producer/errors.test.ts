import { describe, expect, it } from 'vitest'
import * as index from '../../../src/index.js'
import { DeliveryError, FailedToSendMessageError, KafkaProducerError } from '../../../src/index.js'
import { brokerResponseError } from '../../../src/protocol/error-codes.js'
import * as testing from '../../../src/testing/index.js'

function isErrorClass(value: unknown): boolean {
  return typeof value === 'function' && value.prototype instanceof Error
}

const failure = { topic: 'orders', partition: 0, attempts: 2, mayHaveBeenWritten: false }

describe('errors', () => {
  it.each([
    ['InvalidConfigError', 'INVALID_CONFIG', false],
    ['InvalidMessageError', 'INVALID_MESSAGE', false],
    ['UnsupportedByFormatError', 'UNSUPPORTED_BY_FORMAT', false],
    ['SerializationError', 'SERIALIZATION_FAILED', false],
    ['InvalidPartitionError', 'INVALID_PARTITION', false],
    ['ProducerClosedError', 'PRODUCER_CLOSED', false],
    ['QueueFullError', 'QUEUE_FULL', true],
    ['DeliveryTimeoutError', 'DELIVERY_TIMEOUT', true],
    ['ConnectionFailedError', 'CONNECTION_FAILED', true],
    ['ConnectionClosedError', 'CONNECTION_CLOSED', true],
    ['RequestTimeoutError', 'REQUEST_TIMEOUT', true],
    ['MalformedResponseError', 'MALFORMED_RESPONSE', true],
    ['UnsupportedVersionError', 'UNSUPPORTED_VERSION', false],
    ['BrokerUnavailableError', 'BROKER_UNAVAILABLE', true],
    ['MetadataUnavailableError', 'METADATA_UNAVAILABLE', true],
    ['CorruptRecordsError', 'CORRUPT_RECORDS', false],
  ])('%s: code %s, retriable %s', (name, code, retriable) => {
    const make = index[name as keyof typeof index] as unknown as new (message: string) => KafkaProducerError
    const error = new make('what happened')
    expect(error).toBeInstanceOf(KafkaProducerError)
    expect(error).toMatchObject({ name, code, retriable, message: 'what happened' })
    expect(error.cause).toBeUndefined()
    expect(String(error)).toBe(`${name}: what happened`)
  })

  it('are exported without what they are made with', () => {
    expect(Object.keys(index).filter((name) => /^[a-z]/.test(name))).toEqual(['withHeaders', 'oidcToken'])
  })

  it('say their names themselves, since a minifier renames their classes', () => {
    const classes = Object.entries({ ...index, ...testing }).filter(([, value]) => isErrorClass(value))
    for (const [name, value] of classes)
      expect(Object.getOwnPropertyDescriptor(value.prototype, 'name')?.value).toBe(name)
    expect(classes.length).toBeGreaterThan(20)
  })

  it('of a delivery: code and retriable are those of the cause, and the cause keeps its own', () => {
    const cause = brokerResponseError(6, 'orders-0', 'moved')
    const error = new DeliveryError(cause, failure)
    expect(error).toMatchObject({
      name: 'DeliveryError',
      code: 'NOT_LEADER_OR_FOLLOWER',
      retriable: true,
      cause,
      ...failure,
    })
    expect(error.message).toBe('orders-0: broker answered NOT_LEADER_OR_FOLLOWER (6): moved')
    expect(cause).toMatchObject({ name: 'BrokerResponseError', errorCode: 6 })
  })

  it('of a send: tells how many, the first cause, the most attempts, and whether any may have been written', () => {
    const message = { topic: 'orders', value: 'x' }
    const final = new DeliveryError(brokerResponseError(10, 'orders-0'), failure)
    const passing = new DeliveryError(brokerResponseError(7, 'orders-1'), {
      ...failure,
      attempts: 5,
      mayHaveBeenWritten: true,
    })
    const some = new FailedToSendMessageError(['metadata', passing, final], [message, message, message])
    expect(some).toMatchObject({
      code: 'FAILED_TO_SEND',
      retriable: false,
      attempts: 5,
      mayHaveBeenWritten: true,
      cause: passing,
    })
    expect(some.message).toMatch(/^2 of 3 messages failed; the first with REQUEST_TIMED_OUT: /)
    const all = new FailedToSendMessageError([passing], [message])
    expect(all).toMatchObject({ retriable: true })
    expect(all.message).toMatch(/^1 message failed with REQUEST_TIMED_OUT: /)
    const oneOfMany = new FailedToSendMessageError(['metadata', final], [message, message])
    expect(oneOfMany.message).toMatch(/^1 of 2 messages failed with MESSAGE_TOO_LARGE: /)
    const both = new FailedToSendMessageError([passing, final], [message, message])
    expect(both.message).toMatch(/^2 messages failed; the first with REQUEST_TIMED_OUT: /)
    expect(new FailedToSendMessageError([final], [message]).mayHaveBeenWritten).toBe(false)
  })
})
