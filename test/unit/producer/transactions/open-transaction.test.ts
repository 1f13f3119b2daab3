import { describe, expect, it, vi } from 'vitest'
import { systemClock, type Clock } from '../../../../src/clock.js'
import {
  DeliveryError,
  DeliveryTimeoutError,
  FailedToSendMessageError,
  type KafkaProducerError,
} from '../../../../src/errors.js'
import {
  OutcomeUnknownError,
  TransactionAbortedError,
  TransactionEndedError,
  TransactionTimeoutError,
  type TransactionError,
} from '../../../../src/producer/transactions/transaction-errors.js'
import { OpenTransaction, type OpenTransactionParts } from '../../../../src/producer/transactions/transaction.js'
import { brokerResponseError } from '../../../../src/protocol/error-codes.js'

/** A transaction, beside a manager that notes what it is told; its time is over when the test says so. */
function opened() {
  const told: string[] = []
  let late: (() => void) | undefined
  const clock: Clock = {
    ...systemClock,
    setTimeout(callback, ms) {
      late = callback
      return systemClock.setTimeout(() => undefined, ms).unref()
    },
  }
  const manager: OpenTransactionParts['manager'] & { failure: TransactionError | undefined } = {
    failure: undefined,
    fail(cause: KafkaProducerError, kind = 'abort') {
      told.push(`fail ${kind} ${cause.code}`)
      this.failure ??= new TransactionAbortedError(cause)
    },
    failSequence(cause) {
      told.push(`sequence ${cause.code}`)
      this.failure ??= new TransactionAbortedError(cause)
    },
    giveUp(cause) {
      told.push(`give up ${cause.code}`)
      this.failure ??= cause
    },
    sendOffsets: () => Promise.resolve(),
    async commit() {
      told.push('commit')
      if (this.failure !== undefined) throw this.failure
    },
    abort: async () => void told.push('abort'),
  }
  const onEnded = vi.fn()
  const tx = new OpenTransaction({ manager, transactionTimeoutMs: 60_000, clock, onEnded })
  return { tx, told, manager, onEnded, late: () => late?.() }
}

function deliveryError(code: number, mayHaveBeenWritten = false): DeliveryError {
  const failure = { topic: 'orders', partition: 0, attempts: 1, mayHaveBeenWritten }
  return new DeliveryError(brokerResponseError(code, 'a batch'), failure)
}

const gate = () => {
  let open = () => undefined as void
  const promise = new Promise<void>((resolve) => (open = resolve))
  return { promise, open: () => open() }
}

describe('a transaction’s commit', () => {
  it('stays one, though the time was over before the answer came', async () => {
    const { tx, manager, late } = opened()
    const answered = gate()
    manager.commit = () => answered.promise
    // Too late to be given up.
    manager.giveUp = () => undefined
    const committed = tx.commit()
    await Promise.resolve()
    late()
    answered.open()
    await committed
    await expect(tx.commit()).rejects.toThrow(TransactionEndedError)
    await expect(tx.abort()).rejects.toThrow(TransactionEndedError)
    await expect(tx.send(() => Promise.resolve())).rejects.not.toHaveProperty('cause')
  })

  it.each(['was over before', 'is not over'])(
    'whose outcome is unknown says so to whoever commits again, where its time %s',
    async (time) => {
      const { tx, manager, late } = opened()
      const answered = gate()
      const unknown = new OutcomeUnknownError(new DeliveryTimeoutError('no answer'))
      manager.commit = async () => {
        await answered.promise
        throw unknown
      }
      const committed = tx.commit()
      await Promise.resolve()
      if (time === 'was over before') late()
      await expect(tx.commit()).rejects.toThrow(TransactionEndedError)
      answered.open()
      await expect(committed).rejects.toStrictEqual(unknown)
      await expect(tx.commit()).rejects.toStrictEqual(unknown)
      await expect(tx.send(() => Promise.resolve())).rejects.toHaveProperty('cause', unknown)
      await tx.abort()
    },
  )

  it('waits for what was sent, and the next one may begin when it has ended', async () => {
    const { tx, told, onEnded } = opened()
    const sent = gate()
    void tx.send(() => sent.promise)
    const committed = tx.commit()
    await Promise.resolve()
    expect(told).toEqual([])
    expect(onEnded).not.toHaveBeenCalled()
    sent.open()
    await committed
    expect(told).toEqual(['commit'])
    expect(onEnded).toHaveBeenCalledTimes(1)
  })

  it('ends it even where it fails', async () => {
    const { tx, onEnded } = opened()
    void tx.send(() => Promise.reject(deliveryError(29)))
    await expect(tx.commit()).rejects.toThrow(TransactionAbortedError)
    expect(onEnded).toHaveBeenCalledTimes(1)
    await tx.abort()
  })

  it('does not go on beside another one, or an abort', async () => {
    const { tx } = opened()
    const sent = gate()
    void tx.send(() => sent.promise)
    const committed = tx.commit()
    await expect(tx.commit()).rejects.toThrow(TransactionEndedError)
    await expect(tx.abort()).rejects.toThrow(TransactionEndedError)
    await expect(tx.send(() => Promise.resolve())).rejects.toThrow(TransactionEndedError)
    sent.open()
    await committed
  })
})

describe('a message that fails', () => {
  it.each([
    [29, false, 'fail abort TOPIC_AUTHORIZATION_FAILED'],
    [10, false, 'fail abort MESSAGE_TOO_LARGE'],
    [7, true, 'sequence REQUEST_TIMED_OUT'],
    [45, false, 'sequence OUT_OF_ORDER_SEQUENCE_NUMBER'],
    [59, false, 'sequence UNKNOWN_PRODUCER_ID'],
    [47, false, 'fail abort INVALID_PRODUCER_EPOCH'],
    [48, false, 'fail abort INVALID_TXN_STATE'],
    [49, false, 'fail abort, new id INVALID_PRODUCER_ID_MAPPING'],
    [120, false, 'fail abort TRANSACTION_ABORTABLE'],
    [31, false, 'fail configuration CLUSTER_AUTHORIZATION_FAILED'],
    [53, false, 'fail configuration TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
    [90, false, 'fail fenced PRODUCER_FENCED'],
    [90, true, 'fail fenced PRODUCER_FENCED'],
  ])('with error %i (may have been written: %s): %s', async (code, mayHaveBeenWritten, expected) => {
    const { tx, told } = opened()
    const error = deliveryError(code, mayHaveBeenWritten)
    await expect(tx.send(() => Promise.reject(error))).rejects.toBe(error)
    expect(told).toEqual([expected])
  })

  it('is told of each of a list', async () => {
    const { tx, told } = opened()
    const list = new FailedToSendMessageError([deliveryError(29), deliveryError(90)], [])
    await expect(tx.send(() => Promise.reject(list))).rejects.toBe(list)
    expect(told).toEqual(['fail abort TOPIC_AUTHORIZATION_FAILED', 'fail fenced PRODUCER_FENCED'])
  })

  it('lets nothing more be sent', async () => {
    const { tx } = opened()
    await tx.send(() => Promise.reject(deliveryError(29))).catch(() => undefined)
    const send = vi.fn(() => Promise.resolve())
    await expect(tx.send(send)).rejects.toThrow(TransactionAbortedError)
    expect(send).not.toHaveBeenCalled()
  })

  it('is one of offsets that can’t be read, too, whatever reads them throws', async () => {
    const { tx } = opened()
    const offset = {
      topic: 'orders',
      partition: 0,
      get offset(): bigint {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw undefined
      },
    }
    const refusal = { code: 'INVALID_CONFIG', message: expect.stringMatching(/can't be read/) }
    await expect(tx.sendOffsets({ groupId: 'g' }, [offset])).rejects.toMatchObject(refusal)
    await expect(tx.commit()).rejects.toMatchObject({ cause: refusal })
  })

  it('and that nobody looks at is none of the process’s business', async () => {
    const { tx } = opened()
    void tx.send(() => Promise.reject(deliveryError(29)))
    void tx.sendOffsets({ groupId: '' }, [])
    await expect(tx.commit()).rejects.toThrow(TransactionAbortedError)
  })
})

describe('a transaction whose time is over', () => {
  it('is given up and aborted, and says so to whatever is done next', async () => {
    const { tx, told, onEnded, late } = opened()
    const sent = gate()
    void tx.send(() => sent.promise)
    late()
    expect(told).toEqual(['give up TRANSACTION_TIMEOUT'])
    expect(tx.ends.aborted).toBe(true)
    await expect(tx.commit()).rejects.toThrow(TransactionTimeoutError)
    expect(onEnded).not.toHaveBeenCalled()
    sent.open()
    await tx.abort()
    expect(told).toEqual(['give up TRANSACTION_TIMEOUT', 'abort'])
    expect(onEnded).toHaveBeenCalledTimes(1)
    await expect(tx.send(() => Promise.resolve())).rejects.toMatchObject({ cause: { code: 'TRANSACTION_TIMEOUT' } })
  })

  it('while its commit waits for messages ends that', async () => {
    const { tx, told, late } = opened()
    const sent = gate()
    void tx.send(() => sent.promise)
    const committed = tx.commit()
    late()
    sent.open()
    await expect(committed).rejects.toThrow(TransactionTimeoutError)
    expect(told).toEqual(['give up TRANSACTION_TIMEOUT', 'commit'])
  })

  it('is left alone where it has ended', async () => {
    const { tx, told, late } = opened()
    await tx.commit()
    late()
    expect(told).toEqual(['commit'])
  })
})

it('a transaction whose abort failed has ended: to abort it again does nothing', async () => {
  const { tx, manager } = opened()
  manager.abort = () => Promise.reject(new TransactionTimeoutError(1))
  await expect(Promise.all([tx.abort(), tx.abort()])).rejects.toThrow(TransactionTimeoutError)
  await tx.abort()
})
