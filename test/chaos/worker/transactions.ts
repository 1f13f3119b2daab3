/** A transactional producer, one transaction after the other; where it can't go on, another one with the same id does. */
import { inspect } from 'node:util'
import {
  KafkaProducerError,
  TransactionalProducer,
  TransactionError,
  type RawData,
  type Transaction,
} from '../../../src/index.js'
import type { Dice } from '../../simulation/dice.js'
import type { JournalWriter, Outcome } from '../journal.js'
import type { Role } from '../roles.js'
import type { Load } from './load.js'
import { optionsOf } from './options.js'

const TRANSACTION_TIMEOUT_MS = 30_000
const MOST_MESSAGES = 40

/** What the work throws to have its transaction aborted. */
class NotWanted extends Error {}

export async function transact(
  role: Role,
  bootstrap: () => string,
  load: Load,
  journal: JournalWriter,
  dice: Dice,
): Promise<void> {
  const make = () =>
    new TransactionalProducer<RawData, RawData>({
      ...optionsOf(role, bootstrap()),
      transactionalId: role.transactionalId,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    })
  let producer = make()
  let count = 0
  for (let due = await load.due(); due > 0; due = await load.due()) {
    const transaction = ++count
    let given = 0
    const end = (outcome: Outcome, code: string): void => {
      load.settled(given)
      if (given > 0) journal.ended(Date.now(), transaction, outcome, code)
    }
    let thrown: unknown
    const work = async (tx: Transaction<RawData, RawData>): Promise<void> => {
      const all = Math.min(MOST_MESSAGES, due * dice.between(1, 10))
      while (given < all) {
        const { messages } = load.next(dice.between(1, 5), transaction)
        given += messages.length
        const sent = tx.send(messages)
        // The commit waits for it, and fails with it.
        sent.catch(() => undefined)
        if (dice.isLucky(0.2)) await sent
      }
      if (dice.isLucky(0.15)) throw new NotWanted()
    }
    try {
      await producer.transaction((tx) =>
        work(tx).catch((error: unknown) => {
          thrown = error
          throw error
        }),
      )
      end('committed', '-')
    } catch (error) {
      if (!(error instanceof KafkaProducerError) && !(error instanceof NotWanted)) throw error
      // What the work throws aborts.
      const isAborted = error === thrown || (error instanceof TransactionError && error.kind === 'abortable')
      journal.remark(Date.now(), `transaction ${transaction}: ${inspect(error)}`)
      end(isAborted ? 'aborted' : 'unknown', error instanceof KafkaProducerError ? error.code : 'NOT_WANTED')
      if (error instanceof TransactionError && error.kind !== 'abortable') {
        await producer.close()
        producer = make()
      }
    }
  }
  await producer.close()
}
