/** A short run of `npm run test:exactly-once`, on the newest release. */
import { expect, onTestFinished, test } from 'vitest'
import { Dice } from '../../simulation/dice.js'
import { release } from '../support/fixture.js'
import { prove, startCluster } from './proof.js'

test('each message is there once, and each transaction whole, whatever befalls brokers and connections', async () => {
  const cluster = await startCluster(release, () => undefined)
  onTestFinished(() => cluster.stop())
  const plan = { messages: 20_000, senders: 200, perSecond: 2_000, transactionalProducers: 2, compression: 'none' }
  const { faults, findings } = await prove(cluster, plan, new Dice(1), () => undefined)
  expect(findings).toEqual([])
  expect([...faults.keys()]).toContain('answers swallowed')
})
