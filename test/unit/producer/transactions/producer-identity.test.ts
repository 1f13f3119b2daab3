import { describe, expect, it } from 'vitest'
import {
  AuthenticationError,
  MetadataUnavailableError,
  ProducerClosedError,
  RequestTimeoutError,
  type KafkaProducerError,
} from '../../../../src/errors.js'
import type { BrokerSession } from '../../../../src/network/session/session.js'
import type { AnyBroker } from '../../../../src/producer/brokers/any-broker.js'
import { LAST_EPOCH, ProducerIdentity } from '../../../../src/producer/transactions/producer-identity.js'
import type { Identity } from '../../../../src/protocol/records/record-batch.js'

/** Gives what the test says, in turn: an identity, or what the question fails with. */
function identityFrom(answers: (Identity | KafkaProducerError)[], { isNeeded = true, isClosed = false } = {}) {
  let asked = 0
  const anyBroker: Pick<AnyBroker, 'ask' | 'isNeeded'> = {
    isNeeded,
    ask: async <T>() => {
      const answer = answers[asked++]
      if (answer === undefined) throw new Error('asked once too often')
      if (answer instanceof Error) throw answer
      return answer as T
    },
  }
  const identity = new ProducerIdentity(anyBroker, pacingUnless(isClosed), 1_000)
  return { identity, asked: () => asked }
}

function pacingUnless(isClosed: boolean) {
  return {
    async retryUntilDone(attempt: () => Promise<void>): Promise<boolean> {
      if (isClosed) return false
      for (;;) {
        try {
          await attempt()
          return true
        } catch {
          await Promise.resolve()
        }
      }
    },
  }
}

const FIRST = { producerId: 7n, epoch: 0 }

describe('the identity of an idempotent producer', () => {
  it('is asked for once, whoever waits for it', async () => {
    const { identity, asked } = identityFrom([FIRST])
    expect(identity.current).toBeUndefined()
    await expect(Promise.all([identity.whenKnown(), identity.whenKnown()])).resolves.toEqual([FIRST, FIRST])
    expect(identity.current).toEqual(FIRST)
    await identity.whenKnown()
    expect(asked()).toBe(1)
  })

  it('is asked for again after what passes, as long as messages wait', async () => {
    const { identity, asked } = identityFrom([new MetadataUnavailableError('none'), FIRST])
    await expect(identity.whenKnown()).resolves.toEqual(FIRST)
    expect(asked()).toBe(2)
  })

  it('is waited for longer where brokers are slow, up to what the option says', async () => {
    const waits: number[] = []
    const connection = {
      request: (_api: unknown, _version: number, _question: unknown, { timeoutMs }: { timeoutMs: number }) => {
        waits.push(timeoutMs)
        const answer = { errorCode: 0, producerId: 7n, producerEpoch: 0, throttleTimeMs: 0 }
        return waits.length < 4 ? Promise.reject(new RequestTimeoutError('late')) : Promise.resolve(answer)
      },
    }
    const session = { connection, versions: { highest: () => 4 }, throttle: { heed: () => undefined } }
    const broker = {
      isNeeded: true,
      ask: <T>(question: (one: BrokerSession) => Promise<T>) => question(session as unknown as BrokerSession),
    }
    await expect(new ProducerIdentity(broker, pacingUnless(false), 30_000).whenKnown()).resolves.toEqual(FIRST)
    expect(waits).toEqual([10_000, 20_000, 30_000, 30_000])
  })

  it('is not asked for again when no message waits any more, and anew when one does', async () => {
    const failure = new MetadataUnavailableError('none')
    const { identity, asked } = identityFrom([failure, FIRST], { isNeeded: false })
    await expect(identity.whenKnown()).rejects.toBe(failure)
    expect(asked()).toBe(1)
    await expect(identity.whenKnown()).resolves.toEqual(FIRST)
  })

  it('fails with what no broker can be asked for, and may be asked for later', async () => {
    const failure = new AuthenticationError('wrong password')
    const { identity } = identityFrom([failure, FIRST])
    await expect(identity.whenKnown()).rejects.toBe(failure)
    expect(identity.refused).toBeUndefined()
    await expect(identity.whenKnown()).resolves.toEqual(FIRST)
  })

  it('is not waited for when the producer is closed', async () => {
    const { identity } = identityFrom([], { isClosed: true })
    await expect(identity.whenKnown()).rejects.toThrow(ProducerClosedError)
  })

  it('is another one in another cluster, where the same would be somebody else’s', async () => {
    const { identity } = identityFrom([FIRST, { producerId: 9n, epoch: 0 }])
    await identity.whenKnown()
    identity.forget()
    expect(identity.current).toBeUndefined()
    await expect(identity.whenKnown()).resolves.toEqual({ producerId: 9n, epoch: 0 })
  })

  it('goes on one epoch later, once for all who saw the same fail', async () => {
    const { identity, asked } = identityFrom([FIRST])
    await identity.whenKnown()
    identity.bump(FIRST)
    identity.bump(FIRST)
    expect(identity.current).toEqual({ producerId: 7n, epoch: 1 })
    identity.bump({ producerId: 8n, epoch: 1 })
    expect(identity.current).toEqual({ producerId: 7n, epoch: 1 })
    expect(asked()).toBe(1)
  })

  it('is a new id after the last epoch', async () => {
    const last = { producerId: 7n, epoch: LAST_EPOCH }
    const next = { producerId: 8n, epoch: 0 }
    const { identity } = identityFrom([{ ...last, epoch: LAST_EPOCH - 1 }, next])
    await identity.whenKnown()
    identity.bump({ ...last, epoch: LAST_EPOCH - 1 })
    expect(identity.current).toEqual(last)
    identity.bump(last)
    expect(identity.current).toBeUndefined()
    await expect(identity.whenKnown()).resolves.toEqual(next)
  })
})
