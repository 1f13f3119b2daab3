/** What happens to producers, and to what they may do. */
import type { Fault } from './fault.js'

export const clientFaults: readonly Fault[] = [
  {
    name: 'producer killed',
    weight: 1,
    begin({ crew }, dice) {
      const name = crew.replaceOne(dice)
      return { what: `${name}, and another one begins`, over: Promise.resolve() }
    },
  },
  {
    name: 'quota',
    weight: 2,
    since: '2.6',
    begin(stage, dice) {
      const bytesPerSecond = dice.between(2_000, 30_000)
      const ms = dice.between(2_000, 6_000)
      const over = async (): Promise<void> => {
        await stage.kafka.limitProducers(bytesPerSecond)
        await stage.hold(ms)
        await stage.kafka.limitProducers(undefined)
      }
      return { what: `${bytesPerSecond} bytes a second for each client, for ${ms} ms`, over: over() }
    },
  },
]
