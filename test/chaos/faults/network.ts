/** What happens to connections. */
import type { Dice } from '../../simulation/dice.js'
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
  {
    name: 'refused',
    weight: 1,
    since: OWN_LISTENER,
    begin(stage, dice) {
      const { broker, proxy } = drawProxy(stage, dice)
      const ms = dice.between(500, 4_000)
      const over = async (): Promise<void> => {
        proxy.refuse()
        for (const connection of proxy.open()) connection.reset()
        await stage.hold(ms)
        await proxy.listenAgain()
      }
      return { what: `broker ${broker} for ${ms} ms`, over: over() }
    },
  },
  {
    name: 'accepted in silence',
    weight: 1,
    since: OWN_LISTENER,
    begin(stage, dice) {
      const { broker, proxy } = drawProxy(stage, dice)
      const ms = dice.between(500, 4_000)
      const over = async (): Promise<void> => {
        proxy.isSilent = true
        for (const connection of proxy.open()) connection.reset()
        await stage.hold(ms)
        proxy.isSilent = false
      }
      return { what: `broker ${broker} for ${ms} ms`, over: over() }
    },
  },
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
function drawClient({ clientIds }: Stage, dice: Dice): string | undefined {
  const one = dice.pick(clientIds)
  return dice.isLucky(0.3) ? one : undefined
}
