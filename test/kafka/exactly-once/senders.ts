import { setTimeout as delay } from 'node:timers/promises'
import { DeliveryError, type Producer, type RawData } from '../../../src/index.js'
import type { Dice } from '../../simulation/dice.js'
import type { Ledger } from './ledger.js'

/** Fewer than messages: each key has a long history, in the hands of many senders. */
const KEYS = 1_000
/** What one sender has under way at most: it waits for its oldest, as a program does. */
const WINDOW = 20
const LONGEST_FILL = 150
const FILL = 'exactly once '.repeat(20)

export interface Load {
  readonly topic: string
  readonly messages: number
  readonly senders: number
  /** Of all senders together; where brokers were away they catch up as fast as they can. */
  readonly perSecond: number
}

/** Many senders share one producer, and the keys; resolves when every message has its fate. */
export async function send(
  producer: Producer<RawData, RawData>,
  { topic, messages, senders, perSecond }: Load,
  ledger: Ledger,
  dice: Dice,
): Promise<void> {
  const began = performance.now()
  let next = 0
  const one = async (): Promise<void> => {
    // The number of a message is that of its call: nothing is awaited between.
    const numbered = ledger.give(`k${dice.below(KEYS)}`)
    const value = `${numbered.number} ${FILL.slice(0, dice.below(LONGEST_FILL))}`
    try {
      const [{ offset }] = await producer.send({ topic, key: numbered.key, value })
      ledger.acknowledged(numbered, offset)
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      ledger.failed(numbered, error)
    }
  }
  const sender = async (): Promise<void> => {
    const underWay: Promise<void>[] = []
    while (next < messages) {
      const early = began + (next++ / perSecond) * 1000 - performance.now()
      if (early > 1) await delay(early)
      underWay.push(one())
      if (underWay.length >= WINDOW) await underWay.shift()
    }
    await Promise.all(underWay)
  }
  await Promise.all(Array.from({ length: senders }, sender))
}
