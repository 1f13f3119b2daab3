import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { Interceptors } from '../../../src/producer/interceptors.js'
import { Warnings } from '../../../src/producer/observing/kafka-producer-warning.js'
import { StatsCounters } from '../../../src/stats/producer-stats.js'
import { TurnBudget } from '../../../src/turn-budget.js'

it('whoever waits for what was told so far keeps nothing of those who waited before', async () => {
  const warnings = new Warnings(new EventEmitter(), new StatsCounters())
  const interceptors = new Interceptors([{ onAcknowledgement: () => undefined }], warnings, new TurnBudget())
  for (let i = 0; i < 3; i++) {
    let end: (() => void) | undefined
    const send = () => new Promise<void>((resolve) => (end = resolve))
    const sent = interceptors.send([{ topic: 't', value: 'x' }], undefined, send)
    const told = interceptors.toldSoFar()
    end?.()
    await sent
    // Of a producer that is flushed every second it would be one more each time, for as long as it lives.
    expect(await told).toBeUndefined()
  }
})
