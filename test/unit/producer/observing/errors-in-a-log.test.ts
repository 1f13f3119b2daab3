import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  ConnectionFailedError,
  DeliveryError,
  DeliveryTimeoutError,
  FailedToSendMessageError,
  KafkaProducerError,
  NotQueuedError,
  QueueFullError,
  SerializationError,
} from '../../../../src/index.js'
import { brokerResponseError } from '../../../../src/protocol/error-codes.js'
import { revoked } from '../../../support/revoked.js'

const PAYLOAD = 'hunter2'
const failure = { topic: 'orders', partition: 0, attempts: 2, mayHaveBeenWritten: false }
const refused = new DeliveryError(brokerResponseError(10, 'orders-0'), failure)

/** Without the stack, which is another in each test. */
function printed(error: Error): string {
  error.stack = `${error.name}: ${error.message}`
  return inspect(error)
}

/** Everything that a careless logger may read of it. */
function everywhere(error: Error): string {
  const enumerable: unknown[] = []
  for (const name in error) enumerable.push((error as unknown as Record<string, unknown>)[name])
  return [
    inspect(error, { depth: Infinity, showHidden: true, getters: true }),
    inspect({ ...error }, { depth: Infinity }),
    inspect(enumerable, { depth: Infinity }),
    inspect(Object.assign({}, error), { depth: Infinity }),
    inspect({ nested: [error] }, { depth: Infinity }),
    JSON.stringify(error),
    String(error),
    error.stack,
  ].join('\n')
}

describe('an error in a log', () => {
  it('is its text, its fields and nothing twice', () => {
    expect(printed(refused)).toBe(
      [
        `DeliveryError: ${refused.message} {`,
        "  code: 'MESSAGE_TOO_LARGE', retriable: false, topic: 'orders', partition: 0, attempts: 2, mayHaveBeenWritten: false",
        '}',
      ].join('\n'),
    )
  })

  it('has the cause where that says more, and each text once', () => {
    const refusedThere = new ConnectionFailedError('broker 1: connect ECONNREFUSED 127.0.0.1:1', {
      cause: Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED', stack: 'none' }),
    })
    const late = new DeliveryTimeoutError('not acknowledged within 500 ms', { cause: refusedThere })
    const lines = printed(new DeliveryError(late, failure)).split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[2]).toBe(
      "  [cause]: ConnectionFailedError: broker 1: connect ECONNREFUSED 127.0.0.1:1 { code: 'CONNECTION_FAILED' }",
    )
  })

  it('of an encoder has the line of the program that threw', () => {
    const thrown = new TypeError('no total')
    const { message } = thrown
    const error = new SerializationError(`value: the encoder threw for 'orders': ${message}`, { cause: thrown })
    expect(printed(error)).toMatch(/\[cause\]: TypeError: no total\n {4,}at .*errors-in-a-log\.test\.ts:\d+/)
  })

  it.each([
    ['in a circle', () => ring()],
    ['of something that is no error', () => new KafkaProducerError('ABORTED', 'x', { cause: 'why' })],
    ['of something that throws when it is read', () => new KafkaProducerError('ABORTED', 'x', { cause: revoked() })],
    ['of a thousand errors', () => chain(1_000)],
  ])('with causes %s stays a few lines, and never throws', (_, make) => {
    expect(inspect(make()).split('\n').length).toBeLessThan(40)
    expect(JSON.stringify(make()).length).toBeLessThan(2_000)
  })

  it('is one line where it is too deep inside something else', () => {
    expect(inspect({ a: { b: { refused } } }, { depth: 1 })).toContain('[Object]')
    expect(inspect({ a: { refused } }, { depth: 1 })).toContain(`[DeliveryError: ${refused.message}]`)
  })

  it('has the fields that a program gave it', () => {
    const error = Object.assign(new QueueFullError('full'), { requestId: 'r-17' })
    expect(printed(error)).toContain("requestId: 'r-17'")
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ requestId: 'r-17' })
  })

  it('shows no cause that is no error, which may be a secret, unless its text quotes it', () => {
    const hidden = new KafkaProducerError('CONNECTION_FAILED', 'failed', { cause: PAYLOAD })
    expect(everywhere(hidden)).not.toContain(PAYLOAD)
    expect(printed(hidden)).toContain('[cause]: a string, not shown since it is no Error')
    const quoting = new KafkaProducerError('SERIALIZATION_FAILED', 'the encoder threw: boom', { cause: 'boom' })
    expect(printed(quoting)).not.toContain('[cause]')
  })

  it('is as JSON what it says, with causes that say more', () => {
    const late = new DeliveryTimeoutError('not acknowledged within 500 ms', {
      cause: brokerResponseError(6, 'orders-0'),
    })
    expect(JSON.parse(JSON.stringify({ error: new DeliveryError(late, failure) }))).toEqual({
      error: {
        name: 'DeliveryError',
        message: 'not acknowledged within 500 ms',
        code: 'DELIVERY_TIMEOUT',
        retriable: true,
        ...failure,
        cause: {
          name: 'BrokerResponseError',
          message: 'orders-0: broker answered NOT_LEADER_OR_FOLLOWER (6)',
          code: 'NOT_LEADER_OR_FOLLOWER',
        },
      },
    })
  })
})

describe('what was sent', () => {
  const message = { topic: 'orders', key: PAYLOAD, value: PAYLOAD, headers: { authorization: PAYLOAD } }

  it('is with the error of a list, and in no log of it', () => {
    const error = new FailedToSendMessageError([refused, refused], [message, message])
    expect(error.messages).toEqual([message, message])
    expect(error.results).toEqual([refused, refused])
    expect(everywhere(error)).not.toContain(PAYLOAD)
    expect(Object.keys(error)).toEqual(['code', 'retriable'])
  })

  it('is named by its places where it was not taken in, which are in no log either', () => {
    const error = new NotQueuedError('ABORTED', 'aborted', [0, 77_777], [1])
    expect([error.refused, error.taken]).toEqual([[0, 77_777], [1]])
    expect(everywhere(error)).not.toContain('77777')
  })
})

describe('the error of a million messages', () => {
  /** A list that counts how often it is read. */
  function counted(results: readonly unknown[]) {
    const counts = { reads: 0 }
    const list = new Proxy(results, {
      get(target, name, receiver) {
        if (typeof name === 'string' && /^\d+$/.test(name)) counts.reads++
        return Reflect.get(target, name, receiver) as unknown
      },
    })
    return { list, counts }
  }

  const MILLION = 1_000_000
  const all = new Array<DeliveryError>(MILLION).fill(refused)

  it('is made by looking at each fate once, and at no message', () => {
    const results = counted(all)
    const messages = counted([])
    const error = new FailedToSendMessageError(results.list as DeliveryError[], messages.list)
    expect(error.message).toMatch(/^1000000 messages failed; the first with MESSAGE_TOO_LARGE/)
    expect([results.counts.reads, messages.counts.reads]).toEqual([MILLION, 0])
  })

  it('is printed in a few lines without looking at one of them', () => {
    const results = counted(all)
    const error = new FailedToSendMessageError(results.list as DeliveryError[], [])
    results.counts.reads = 0
    const text = everywhere(error)
    expect(results.counts.reads).toBe(0)
    expect(text.length).toBeLessThan(10_000)
  })

  it('tells of all of them where it is asked', () => {
    const error = new FailedToSendMessageError(all, [])
    expect(error).toMatchObject({ attempts: 2, mayHaveBeenWritten: false, retriable: false, cause: refused })
  })
})

function ring(): Error {
  const cause = new Error('first')
  const error = new KafkaProducerError('ABORTED', 'second', { cause })
  cause.cause = error
  return error
}

function chain(length: number): Error {
  let error: Error = new Error('0')
  for (let i = 1; i < length; i++) error = new KafkaProducerError('ABORTED', `number ${i}`, { cause: error })
  return error
}
