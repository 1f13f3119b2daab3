/** What happens to connections. */
import type { Dice } from '../../simulation/dice.js'
import { ADDRESSES, type Address } from '../network/addresses.js'
import type { ProxiedConnection } from '../network/proxied-connection.js'
import type { Proxy } from '../network/proxy.js'
import { CALM, type Weather } from '../network/weather.js'
import type { Stage } from '../stage.js'
import type { Begun, Fault } from './fault.js'

/** Before, brokers reach each other at the address that clients are told: they would be cut off, too. */
const OWN_LISTENER = '0.10.2'

export const networkFaults: readonly Fault[] = [
  weather('latency', 3, (dice) => {
    const toBroker = { delayMs: dice.between(0, 800) }
    const toClient = { delayMs: dice.between(0, 800) }
    return [{ toBroker, toClient }, `${toBroker.delayMs} ms there and ${toClient.delayMs} ms back`]
  }),
  weather('loss of one direction', 4, (dice) => {
    const direction = dice.pick(['toBroker', 'toClient'] as const)
    return [{ [direction]: { isLost: true } }, direction]
  }),
  weather('slow drip', 2, (dice) => {
    const bytesPerSecond = dice.between(500, 20_000)
    const direction = dice.pick(['toBroker', 'toClient'] as const)
    return [{ [direction]: { bytesPerSecond } }, `${bytesPerSecond} bytes a second, ${direction}`]
  }),
  weather('answers swallowed', 4, () => [{ swallowsAnswers: true }, 'after the append']),
  once('resets', 3, (connection) => connection.reset()),
  once('half-open, the broker gone', 2, (connection) => connection.halve('broker')),
  once('half-open, the client gone', 1, (connection) => connection.halve('client')),
  dead('an address of the name dies', 3, (dice) => [dice.pick(ADDRESSES)]),
  dead('all addresses of the name die', 2, () => ADDRESSES),
]

/** Something that lasts, for one client or for all, of one broker or of all. */
function weather(name: string, weight: number, make: (dice: Dice) => readonly [Weather, string]): Fault {
  return {
    name,
    weight,
    begin(stage, dice): Begun {
      const { broker, proxy } = drawProxy(stage, dice)
      const isEverywhere = dice.isLucky(0.15)
      const clientId = drawClient(stage, dice)
      const [drawn, how] = make(dice)
      const ms = dice.between(300, 5_000)
      const proxies = isEverywhere ? [...stage.proxies.values()] : [proxy]
      const over = async (): Promise<void> => {
        for (const one of proxies) one.weather = clientId === undefined ? drawn : { ...drawn, clientId }
        await stage.hold(ms)
        for (const one of proxies) one.weather = CALM
      }
      const where = isEverywhere ? 'all brokers' : `broker ${broker}`
      return { what: `${how}, ${where}, ${clientId ?? 'all clients'}, for ${ms} ms`, over: over() }
    },
  }
}

/** Where a name leads to is dead for a while. */
function dead(name: string, weight: number, which: (dice: Dice) => readonly Address[]): Fault {
  return {
    name,
    weight,
    since: OWN_LISTENER,
    begin(stage, dice): Begun {
      const { broker, proxy } = drawProxy(stage, dice)
      const addresses = which(dice)
      const how = dice.pick(['refused', 'silent'] as const)
      const ms = dice.between(500, 5_000)
      const over = async (): Promise<void> => {
        for (const address of addresses) proxy.kill(address, how)
        await stage.hold(ms)
        await proxy.revive()
      }
      return { what: `${addresses.join(' and ')} of broker ${broker}, ${how} for ${ms} ms`, over: over() }
    },
  }
}

/** Something that is done to the connections that are open, and stays so. */
function once(name: string, weight: number, harm: (connection: ProxiedConnection) => void): Fault {
  return {
    name,
    weight,
    begin(stage, dice): Begun {
      const { broker, proxy } = drawProxy(stage, dice)
      const clientId = drawClient(stage, dice)
      const own = proxy.open(clientId)
      const connections = own.length > 0 ? own : proxy.open()
      for (const connection of connections) harm(connection)
      const whose = [...new Set(connections.map((connection) => connection.clientId))].join(', ')
      return {
        what: `${connections.length} connections to broker ${broker}, of ${whose}`,
        over: Promise.resolve(),
      }
    },
  }
}

function drawProxy({ proxies }: Stage, dice: Dice): { broker: number; proxy: Proxy } {
  const [broker, proxy] = dice.pick([...proxies])
  return { broker, proxy }
}

/** Undefined for all. */
function drawClient({ crew }: Stage, dice: Dice): string | undefined {
  const one = dice.pick(crew.clientIds)
  return dice.isLucky(0.3) ? one : undefined
}
