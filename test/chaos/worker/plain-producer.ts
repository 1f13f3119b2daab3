/** A producer of sync or async mode, and what it tells of each message. */
import {
  DeliveryError,
  FailedToSendMessageError,
  KafkaProducerError,
  NotQueuedError,
  Producer,
  type RawData,
  type RecordMetadata,
} from '../../../src/index.js'
import type { Dice } from '../../simulation/dice.js'
import type { JournalWriter } from '../journal.js'
import { identityOf } from '../messages.js'
import type { Role } from '../roles.js'
import type { Load } from './load.js'
import { optionsOf } from './options.js'

const LONGEST_LIST = 12

export async function produce(
  role: Role,
  bootstrap: string,
  load: Load,
  journal: JournalWriter,
  dice: Dice,
): Promise<void> {
  const tell = (sequence: number, fate: RecordMetadata | DeliveryError): void => {
    const now = Date.now()
    if (fate instanceof DeliveryError) journal.failed(now, sequence, fate.mayHaveBeenWritten, fate.code)
    else journal.acknowledged(now, sequence, fate.partition, Number(fate.offset))
    load.settled(1)
  }
  const refuse = (sequence: number, code: string): void => {
    journal.failed(Date.now(), sequence, false, code)
    load.settled(1)
  }
  const options = {
    ...optionsOf(role, bootstrap),
    acks: role.acks,
    ...(role.acks === -1 && { idempotent: role.idempotent }),
  }
  const sends = role.manner === 'sync' ? syncSends(new Producer<RawData, RawData>(options)) : asyncSends(options)

  function syncSends(producer: Producer<RawData, RawData>) {
    const send = async (count: number): Promise<void> => {
      const { first, messages } = load.next(count)
      try {
        const [only] = messages
        const fates = count === 1 && only !== undefined ? await producer.send(only) : await producer.send(messages)
        for (const [index, fate] of fates.entries()) tell(first + index, fate)
      } catch (error) {
        if (error instanceof FailedToSendMessageError) {
          for (const [index, fate] of (error.results as (RecordMetadata | DeliveryError)[]).entries())
            tell(first + index, fate)
        } else if (error instanceof DeliveryError && count === 1) tell(first, error)
        else if (error instanceof KafkaProducerError)
          for (const index of messages.keys()) refuse(first + index, error.code)
        else throw error
      }
    }
    return { send, close: () => producer.close() }
  }

  function asyncSends(given: typeof options) {
    const producer = new Producer<RawData, RawData, 'async'>({
      ...given,
      type: 'async',
      lingerMs: dice.pick([0, 5, 50]),
      onDelivery: ({ message, metadata, error }) => {
        const sequence = identityOf(typeof message.value === 'string' ? message.value : '')?.sequence
        if (sequence === undefined) journal.broke(Date.now(), 'a report tells of no message of ours')
        else tell(sequence, error ?? metadata)
      },
    })
    const send = async (count: number): Promise<void> => {
      const { first, messages } = load.next(count)
      try {
        await producer.send(messages)
      } catch (error) {
        if (!(error instanceof NotQueuedError)) throw error
        for (const index of error.refused) refuse(first + index, error.code)
      }
    }
    return { send, close: () => producer.close() }
  }

  const pending = new Set<Promise<void>>()
  for (let due = await load.due(); due > 0; due = await load.due()) {
    while (due > 0) {
      const count = dice.isLucky(0.5) ? 1 : Math.min(due, dice.between(2, LONGEST_LIST))
      due -= count
      const sent = sends.send(count)
      pending.add(sent)
      // A failure that nobody knows of ends the process, and shows in the journal.
      void sent.finally(() => pending.delete(sent))
    }
  }
  const closed = sends.close()
  await Promise.all(pending)
  await closed
}
