import { describe, it } from 'vitest'
import { randomFaults } from '../../../embedded/support/random-faults.js'

const RUNS = 20

// A run that fails is repeated by its seed: KAFKA_TEST_SEED, with test/embedded/producer/random-faults.test.ts.
describe.each(['4', '2.8', '0.11', '0.8.2'])('random faults, Kafka %s', (release) => {
  it.each([1, -1] as const)(`acks %i, ${RUNS} seeds`, async (acks) => {
    for (let i = 0; i < RUNS; i++) {
      const seed = Math.floor(Math.random() * 2 ** 32)
      console.log(`random faults: Kafka ${release}, acks ${acks}, seed ${seed}`)
      await randomFaults(release, acks, seed)
    }
  })
})
