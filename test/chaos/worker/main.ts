/** The process of one producer: what callers are told goes to its journal. */
import { Dice } from '../../simulation/dice.js'
import { JournalWriter } from '../journal.js'
import { Load } from './load.js'
import { knowName } from './names.js'
import type { Order } from './orders.js'
import { produce } from './plain-producer.js'
import { writeRemarks } from './remarks.js'
import { transact } from './transactions.js'

let bootstrap = ''
let load: Load | undefined

process.removeAllListeners('warning')
process.on('warning', () => undefined)
// Nobody wants to know what comes of it any more.
process.on('disconnect', () => {
  if (load?.isStopped !== true) process.exit(1)
})
process.on('message', (order: Order) => {
  if (order.type === 'start') void start(order)
  else if (order.type === 'bootstrap') bootstrap = order.bootstrap
  else load?.stop()
})

async function start(order: Extract<Order, { type: 'start' }>): Promise<void> {
  const { role, seed } = order
  bootstrap = order.bootstrap
  const journal = new JournalWriter(order.journal)
  writeRemarks(journal)
  knowName()
  const die = (error: unknown): void => {
    journal.broke(
      Date.now(),
      `the process ends: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    )
    journal.close()
    process.exit(1)
  }
  process.on('uncaughtException', die)
  const dice = new Dice(seed)
  load = new Load(role, dice, journal)
  try {
    if (role.manner === 'transactional') await transact(role, () => bootstrap, load, journal, dice)
    else await produce(role, bootstrap, load, journal, dice)
  } catch (error) {
    die(error)
  }
  journal.finished(Date.now())
  journal.close()
  // From here on the process must end by itself.
  process.disconnect()
}
