/** All faults there are, and what may befall at the same time. */
import { isBefore } from '../../kafka/support/features.js'
import type { Dice } from '../../simulation/dice.js'
import { CALM } from '../network/weather.js'
import type { Stage } from '../stage.js'
import { brokerFaults } from './brokers.js'
import { clientFaults } from './clients.js'
import { draw, type Fault } from './fault.js'
import { Lane } from './lane.js'
import { networkFaults } from './network.js'
import { topicFaults } from './topics.js'

/** What befalls brokers and partitions comes one after the other, since each needs the cluster; so does the rest. */
export function lanesFor(release: string): Lane[] {
  const drawn = (faults: readonly Fault[]) => {
    const possible = faults.filter(({ since = '0' }) => !isBefore(release, since))
    return (dice: Dice): Fault => draw(possible, dice)
  }
  return [
    new Lane(drawn([...brokerFaults, ...topicFaults]), healBrokers),
    new Lane(drawn([...networkFaults, ...clientFaults]), healNetwork),
  ]
}

/** Those of these names alone, each when its turn comes. */
export function lanesInTurn(ofBrokers: readonly string[], ofNetwork: readonly string[]): Lane[] {
  return [
    new Lane(inTurn([...brokerFaults, ...topicFaults], ofBrokers), healBrokers),
    new Lane(inTurn(networkFaults, ofNetwork), healNetwork),
  ]
}

function inTurn(faults: readonly Fault[], names: readonly string[]): () => Fault {
  let turn = 0
  return () => {
    const name = names[turn++ % names.length]
    const fault = faults.find((one) => one.name === name)
    if (fault === undefined) throw new Error(`There is no fault "${name ?? ''}".`)
    return fault
  }
}

async function healBrokers({ kafka }: Stage): Promise<void> {
  for (const { id, state } of kafka.brokers) {
    if (state === 'paused') kafka.resumeBroker(id)
    else if (state === 'stopped') await kafka.startBroker(id)
  }
}

async function healNetwork({ proxies }: Stage): Promise<void> {
  for (const proxy of proxies.values()) {
    proxy.weather = CALM
    await proxy.revive()
  }
}
