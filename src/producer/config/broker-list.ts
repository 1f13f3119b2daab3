import { InvalidConfigError } from '../../errors.js'
import { formatAddress, type BrokerAddress } from '../../network/streams/connect.js'
import { shown } from '../../wording/shown.js'

/** What stands beside a secret in connection strings and URLs. Nothing of a list that has one of these is quoted. */
const SECRETS_BESIDE = /[=@;]/
/** Addresses with something else than commas between. */
const SEPARATED_OTHERWISE = /^[^\s;|=@]+:\d+(?:[\s;|]+[^\s;|=@]+:\d+)+$/
const COMMAS = '. Addresses are separated by commas'
const HIGHEST_PORT = 65_535

/**
 * host:port, [ipv6]:port, or a host alone.
 *
 * @param value a text with commas, or a list
 * @throws InvalidConfigError
 */
export function parseBrokers(value: unknown, name: string, allowed: string): BrokerAddress[] {
  const refused = (given: string, remedy = '') =>
    new InvalidConfigError(`${name}: given was ${given}, allowed is ${allowed}${remedy}`)
  if (typeof value !== 'string' && !Array.isArray(value)) throw refused(shown(value))
  const items: unknown[] = typeof value === 'string' ? value.split(',') : value
  if (items.length === 0) throw refused('an empty list')
  const hidden = items.find((item): item is string => typeof item === 'string' && SECRETS_BESIDE.test(item))
  if (hidden !== undefined) {
    throw refused(
      'a text that is not shown, since it may hold a secret',
      /SharedAccessKey/i.test(hidden)
        ? ". A connection string of Event Hubs is a password: give it as sasl: { mechanism: 'plain', username: '$ConnectionString', password }, and here its host with port 9093"
        : SEPARATED_OTHERWISE.test(hidden.trim())
          ? COMMAS
          : '. Names and passwords belong in the option `sasl`',
    )
  }
  const addresses = new Map<string, BrokerAddress>()
  // Not by `map`, which passes over holes: they are undefined to all who read them.
  for (const item of items) {
    if (typeof item !== 'string') throw refused(shown(item))
    const text = item.trim()
    const address = parseAddress(text)
    if (address === undefined) {
      const isGap = text === '' && typeof value === 'string' && items.length > 1
      throw refused(quoted(text), isGap ? '. An address is missing before or behind a comma' : remedyFor(text))
    }
    // One that is given twice would be asked, waited for and told of twice.
    addresses.set(formatAddress(address), address)
  }
  return [...addresses.values()]
}

/** A number alone would be an IPv4 address to the resolver, which nobody means. */
const ONLY_A_PORT = /^\d+$/
/** What a template makes of a variable that is not set. */
const NO_HOST = /^(?:undefined|null)(?::|$)/

function parseAddress(text: string): BrokerAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\p{L}\p{N}._-]+))(?::(\d{1,5}))?$/u.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || ONLY_A_PORT.test(text) || NO_HOST.test(text)) return undefined
  const port = match?.[3] === undefined ? 9092 : Number(match[3])
  return port < 1 || port > HIGHEST_PORT ? undefined : { host, port }
}

/** What follows a colon and is no number may be a password. */
function quoted(text: string): string {
  const [, host = '', port = ''] = /^([^:]*):(.*)$/s.exec(text) ?? [undefined, text]
  if (host === text) return shown(text)
  if (/^\d{0,6}$/.test(port) && /^[\w.-]*$/.test(host)) return `'${text}'`
  return `${shown(host)} and something else than a port behind the colon`
}

/** What Java lets stand before an address: the name of a listener. */
export const LISTENER_NAME = /^[\w%.-]*:\/\//

function remedyFor(text: string): string {
  if (ONLY_A_PORT.test(text)) return '. A port stands behind its host, with a colon between'
  if (SEPARATED_OTHERWISE.test(text)) return COMMAS
  const [, port] = /^(?:\[.*\]|[^:]+):(\d+)$/.exec(text) ?? []
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= HIGHEST_PORT))
    return '. A port is a number from 1 to 65,535'
  if (text.includes(',')) return '. A text of several addresses is given by itself, and not in a list'
  if (NO_HOST.test(text)) return '. The variable that it is made of was not set'
  if (text.includes('${')) return '. A place for a variable was not filled in'
  if (LISTENER_NAME.test(text))
    return '. Leave out the name of the listener before the address; TLS is the option `ssl`, and who this client is the option `sasl`'
  return /^[0-9A-Fa-f]*:[0-9A-Fa-f:]+$/.test(text) && text.includes('::') ? '. An IPv6 address stands in brackets' : ''
}
