import { expect, it } from 'vitest'
import { BrokerUnavailableError } from '../../../../src/errors.js'
import type { PartitionQueue } from '../../../../src/producer/queues/partition-queue.js'
import type { BrokerSenderConfig, SenderParts } from '../../../../src/producer/sending/broker-sender.js'
import { Senders } from '../../../../src/producer/sending/senders.js'
import { SYSTEM } from '../../../../src/surroundings.js'
import { turns } from '../../../embedded/support/producers.js'

it('of brokers that are gone none is kept, but for those that are not through', async () => {
  const nothing = () => undefined
  const parts = {
    clock: SYSTEM.clock,
    pool: {
      getProducer: () => {
        throw new BrokerUnavailableError('it is gone')
      },
    },
    outcomes: { unanswered: nothing, giveUp: nothing },
    metadataGeneration: () => 0,
    onAnswered: nothing,
  } as unknown as SenderParts
  const senders = new Senders({ maxInFlight: 5 } as BrokerSenderConfig, parts)
  const enlist = (leader: number) => {
    const queue = { leader, list: nothing, unlist: nothing, isListedWith: () => false }
    senders.enlist(queue as unknown as PartitionQueue)
  }
  for (const leader of [1, 2]) enlist(leader)
  await turns()
  enlist(3)
  senders.keepOnly(new Map([[1, {}]]))
  expect([1, 2, 3].filter((id) => senders.get(id) !== undefined)).toEqual([1, 3])
  await turns()
  senders.keepOnly(new Map([[1, {}]]))
  expect([1, 2, 3].filter((id) => senders.get(id) !== undefined)).toEqual([1])
})
