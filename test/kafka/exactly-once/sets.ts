/** Sets of messages in transactions: readers of committed messages must see each committed one whole, and no aborted one. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  KafkaProducerError,
  TransactionalProducer,
  TransactionError,
  type RawData,
  type TransactionalProducerOptions,
} from '../../../src/index.js'
import type { Dice } from '../../simulation/dice.js'

type Outcome = 'committed' | 'aborted' | 'unknown'

interface Sent {
  readonly size: number
  readonly outcome: Outcome
}

export interface SetOptions extends Pick<
  TransactionalProducerOptions<RawData, RawData>,
  'brokers' | 'clientId' | 'requestTimeoutMs'
> {
  readonly topic: string
  readonly transactionalId: string
}

const LARGEST = 30
/** Between transactions: brokers have other work to do. */
const PAUSE_MS = 20
/** What the work throws to have its transaction aborted. */
class NotWanted extends Error {}

export class Sets {
  private readonly sent = new Map<string, Sent>()
  private readonly seen = new Map<string, number>()

  /** One transaction after the other, until told to end. */
  async send(
    { topic, ...options }: SetOptions,
    isOver: () => boolean,
    dice: Dice,
    log: (line: string) => void,
  ): Promise<void> {
    const make = () => {
      const producer = new TransactionalProducer<RawData, RawData>(options)
      producer.on('warning', (warning) => log(warning.message))
      return producer
    }
    let producer = make()
    for (let count = 1; !isOver(); count++) {
      const size = dice.between(1, LARGEST)
      const name = `${options.transactionalId}/${count}`
      const end = (outcome: Outcome): void => this.ended(name, { size, outcome })
      try {
        await producer.transaction(async (tx) => {
          for (let i = 0; i < size; i++) {
            const sent = tx.send({ topic, key: `k${dice.below(100)}`, value: `${name} ${i}` })
            // The commit waits for it, and fails with it.
            sent.catch(() => undefined)
            if (dice.isLucky(0.1)) await sent
          }
          if (dice.isLucky(0.3)) throw new NotWanted()
        })
        end('committed')
      } catch (error) {
        if (!(error instanceof KafkaProducerError) && !(error instanceof NotWanted)) throw error
        const goesOn = !(error instanceof TransactionError) || error.kind === 'abortable'
        end(goesOn ? 'aborted' : 'unknown')
        if (!goesOn) {
          await producer.close()
          producer = make()
        }
      }
      await delay(PAUSE_MS)
    }
    await producer.close()
  }

  ended(name: string, set: Sent): void {
    this.sent.set(name, set)
  }

  /** To be called with each value that readers of committed messages see. */
  read(value: string): void {
    const [name = ''] = value.split(' ')
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1)
  }

  count(outcome: Outcome): number {
    return [...this.sent.values()].filter((set) => set.outcome === outcome).length
  }

  findings(): string[] {
    const sets = [...this.sent].flatMap(([name, { size, outcome }]) => {
      const seen = this.seen.get(name) ?? 0
      const isRight = (outcome !== 'aborted' && seen === size) || (outcome !== 'committed' && seen === 0)
      return isRight ? [] : [`${name}, ${outcome}: ${seen} of ${size} messages are seen`]
    })
    return [
      ...sets,
      ...[...this.seen.keys()].filter((name) => !this.sent.has(name)).map((name) => `${name}: never sent`),
    ]
  }
}
