/** All faults there are, and what may befall at the same time. */
import { isBefore } from '../../kafka/support/features.js'
import { CALM } from '../network/weather.js'
import type { Stage } from '../stage.js'
import { brokerFaults } from './brokers.js'
import { clientFaults } from './clients.js'
import type { Fault } from './fault.js'
import { Lane } from './lane.js'
import { networkFaults } from './network.js'
import { topicFaults } from './topics.js'

/** What befalls brokers and partitions comes one after the other, since each needs the cluster; so does the rest. */
export function lanesFor(release: string): Lane[] {
  const possible = (faults: readonly Fault[]): Fault[] => faults.filter(({ since = '0' }) => !isBefore(release, since))
  return [
    new Lane(possible([...brokerFaults, ...topicFaults]), healBrokers),
    new Lane(possible([...networkFaults, ...clientFaults]), healNetwork),
  ]
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
