import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { initProducerId, type InitProducerIdResponse } from '../../../src/protocol/apis/init-producer-id.js'
import { joinGroup } from '../../../src/protocol/apis/join-group.js'
import { syncGroup } from '../../../src/protocol/apis/sync-group.js'
import { unlessPassing, until, type Subject } from './subject.js'

let names = 0
const newName = (): string => `stranger-${Date.now()}-${++names}`

/** Ids that a broker has never heard of, or no longer knows. */
export function strangerCases(subject: () => Subject): void {
  describe('A producer id that is claimed', () => {
    const init = async (
      transactionalId: string | null,
      claim: { producerId: bigint; producerEpoch: number },
    ): Promise<InitProducerIdResponse> => {
      const client = transactionalId ? await subject().coordinator(transactionalId, 1) : await subject().connect()
      const flags = { enable2Pc: false, keepPreparedTxn: false }
      const request = { transactionalId, transactionTimeoutMs: 5_000, ...claim, ...flags }
      return until(async () => {
        const answer = await client.call(initProducerId, subject().version(initProducerId, 5), request)
        return unlessPassing(answer.errorCode) === undefined ? undefined : answer
      })
    }
    const claims = (): boolean => subject().has(initProducerId) && subject().version(initProducerId) >= 3

    // Some clients send 0 and 0 where they have none.
    it.for([
      [0n, 0],
      [123_456_789n, 3],
    ] as const)(
      '%i, epoch %i, for a transactional id that is new: a new one',
      async ([producerId, epoch], { skip }) => {
        if (!claims()) skip('has no such claims')
        const transactionalId = newName()
        const first = await init(transactionalId, { producerId, producerEpoch: epoch })
        expect([first.errorCode, first.producerEpoch]).toEqual([0, 0])
        expect(first.producerId).not.toBe(123_456_789n)
        const second = await init(transactionalId, first)
        expect([second.errorCode, second.producerEpoch, second.producerId]).toEqual([0, 1, first.producerId])
        expect((await init(transactionalId, { producerId: 123_456_789n, producerEpoch: 3 })).errorCode).toBe(
          subject().version(initProducerId) >= 4 ? 90 : 47,
        )
      },
    )

    it('is told with its epoch, or not at all', async ({ skip }) => {
      if (!claims()) skip('has no such claims')
      const half = { producerId: 5n, producerEpoch: -1 }
      const otherHalf = { producerId: -1n, producerEpoch: 3 }
      const codes = [
        (await init(newName(), half)).errorCode,
        (await init(newName(), otherHalf)).errorCode,
        (await init(null, half)).errorCode,
        (await init('', { producerId: -1n, producerEpoch: -1 })).errorCode,
      ]
      expect(codes).toEqual([42, 42, 42, 42])
    })
  })

  describe('A member that has joined', () => {
    it.for([0, 500])(
      'and does not ask for its assignment within %i ms is out',
      async (rebalanceTimeoutMs, { skip }) => {
        if (!subject().has(joinGroup)) skip('has no groups')
        if (!subject().release.dropsMembersThatDoNotSync) skip('keeps it')
        const groupId = newName()
        const coordinator = await subject().coordinator(groupId, 0)
        const join = async (memberId: string) =>
          until(async () => {
            const answer = await coordinator.call(joinGroup, subject().version(joinGroup), {
              groupId,
              sessionTimeoutMs: 30_000,
              rebalanceTimeoutMs,
              memberId,
              groupInstanceId: null,
              protocolType: 'consumer',
              protocols: [{ name: 'range', metadata: Buffer.from('m') }],
              reason: null,
            })
            return unlessPassing(answer.errorCode) === undefined ? undefined : answer
          })
        const { errorCode, memberId, generationId } = await join((await join('')).memberId)
        expect(errorCode).toBe(0)
        await delay(rebalanceTimeoutMs + 1_000)
        const synced = await coordinator.call(syncGroup, subject().version(syncGroup), {
          groupId,
          generationId,
          memberId,
          groupInstanceId: null,
          protocolType: subject().version(syncGroup) >= 5 ? 'consumer' : null,
          protocolName: subject().version(syncGroup) >= 5 ? 'range' : null,
          assignments: [],
        })
        expect(synced.errorCode).toBe(25)
      },
    )
  })
}
