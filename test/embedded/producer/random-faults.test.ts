import { describe, it } from 'vitest'
import { randomFaults } from '../support/random-faults.js'

// KAFKA_TEST_SEED repeats a run. Many more seeds: test/long/embedded/producer/random-faults.test.ts.
const GIVEN_SEED = process.env['KAFKA_TEST_SEED']

describe('random faults', () => {
  const seeds =
    GIVEN_SEED === undefined ? [0, 1, 2, 3].map(() => Math.floor(Math.random() * 2 ** 32)) : [Number(GIVEN_SEED)]
  for (const [i, seed] of seeds.entries()) {
    const release = ['4', '0.11', '0.8.2', '0.11'][i] as string
    const acks = i === 1 ? 1 : -1
    it(`Kafka ${release}, acks ${acks}, seed ${seed}`, async () => {
      console.log(`random faults: Kafka ${release}, acks ${acks}, KAFKA_TEST_SEED=${seed}`)
      await randomFaults(release, acks, seed)
    }, 90_000)
  }
})
