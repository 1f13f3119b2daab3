import { InvalidConfigError } from '../../errors.js'
import { given as fieldsOf, readable } from '../../given.js'
import { isRecord } from '../../is-record.js'
import { MAX_TIMER_MS } from '../../timer-delay.js'
import { kindOf } from '../../wording/kind-of.js'
import { nearestName } from '../../wording/nearest-name.js'
import { shown } from '../../wording/shown.js'
import { OPTIONS } from './option-table.js'
import type { AnyProducerOptions } from './producer-options.js'
import { readTls, SECURITY_NAMES, securityRow } from './properties-security.js'
import { parseProperties } from './properties-text.js'
import type { Options, Reading, TransactionProperties } from './property-reading.js'
import { ROWS } from './property-rows.js'
import { parseWhole } from './property-values.js'

/** What a properties file comes to. */
export interface PropertiesResult {
  readonly options: AnyProducerOptions
  /** What was read and has no effect here, or another than there, each with the reason. */
  readonly notes: readonly string[]
}

/** Java's defaults, where a rule of Java's between two properties binds one that is not in the file. */
const JAVA_LINGER_MS = 5

/**
 * Turns the dotted names of Kafka 0.8's or of Java's producer into options. What Java's client takes is taken: names
 * that it only warns of are noted.
 *
 * @param source the text of a properties file, or its names and values
 * @param given what the program gives besides, which goes before it
 * @param transactions told what it says of transactions; undefined: it must say nothing of them
 * @throws InvalidConfigError for what can't be had here, with the reason
 */
export function readProperties(
  source: string | Readonly<Record<string, unknown>>,
  given: Partial<AnyProducerOptions> = {},
  transactions?: TransactionProperties,
): PropertiesResult {
  if (typeof source === 'string') checkText(source)
  const all =
    typeof source === 'string'
      ? parseProperties(source)
      : stringValues(
          readable(
            () => checkedSource(source),
            () => 'properties: what was given',
          ),
        )
  // Java drops blanks at both ends of any value.
  const properties = new Map([...all].map(([name, value]) => [name, value.trim()]))
  const notes: string[] = []
  const options = {} as Options
  const reading: Reading = { options, properties, notes, given, tls: {}, transactions }
  for (const [name, value] of properties) {
    const row = (Object.hasOwn(ROWS, name) ? ROWS[name] : undefined) ?? securityRow(name)
    if (row !== undefined) row(value, reading, name)
    else if (asksForTls(name, value, reading)) throw unknownTls(name)
    else notes.push(`${unknownProperty(name)}; Java’s producer warns of it, too`)
  }
  if (options.brokers === undefined && given.brokers === undefined) throw missingServers(properties)
  readTls(reading)
  keepTimesInOrder(reading)
  keepSizesInOrder(reading)
  if (properties.has('metadata.broker.list')) noteDefaultsOf08(reading)
  return { options, notes }
}

/** Of such a text Java would find names without a value, if any; and what was meant, such as TLS, would not be heard of. */
function checkText(text: string): void {
  const line = text.trim()
  if (line.startsWith('{'))
    throw new InvalidConfigError('properties: given was JSON, it seems; allowed is an object, such as JSON.parse(text)')
  if (line === '' || /[\n\r=]/.test(line)) return
  if (/^(?:file:|\.{0,2}[\\/]|~[\\/]|[A-Za-z]:[\\/])/.test(line) || !/[\s:#!]/.test(line))
    throw new InvalidConfigError(
      "properties: given was a path, it seems; allowed is what is in the file, such as readFileSync(path, 'utf8')",
    )
}

/** What would pass for a file in which there is nothing. */
function checkedSource(source: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (isRecord(source)) return fieldsOf(source)
  throw new InvalidConfigError(
    `properties: given was ${kindOf(source)}, allowed are the text of a properties file (of a Buffer, its toString()) or an object of names and values (of a Map, Object.fromEntries() of it)`,
  )
}

function stringValues(source: Readonly<Record<string, unknown>>): Map<string, string> {
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(source)) {
    if (value === undefined) continue
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw new InvalidConfigError(
        `${shownProperty(name)}: a property must be a string, a number or a boolean, given was ${shown(value)}`,
      )
    values.set(name, String(value))
  }
  return values
}

const SWITCH_OF_TLS = /^([a-z]+[._-])*(use|enable)?(ssl|tls)([._-]?enabled?)?$/i

/** What a producer's properties have before them in files of Connect, Streams, Spring and the like. */
const PREFIXES = /^((spring|kafka|producer|override|properties)[._-])+/i

/** With Java it would go out without, and a line of a log. */
function asksForTls(prefixed: string, value: string, { properties, given }: Reading): boolean {
  if (properties.has('security.protocol') || given.ssl !== undefined) return false
  const name = prefixed.replace(PREFIXES, '')
  if (name !== prefixed && value !== '' && /^ssl[._-](trust|key)[._-]?store[._-]/i.test(name)) return true
  // Such as `ssl: true` among the properties instead of beside them.
  if (SWITCH_OF_TLS.test(name) && /^(true|yes|on|1)$/i.test(value)) return true
  return /^(SASL_)?SSL$/i.test(value) && nearestName(name, ['security.protocol']) !== undefined
}

function unknownTls(name: string): InvalidConfigError {
  const named = shownProperty(name)
  return new InvalidConfigError(
    `the file asks for TLS by ${named}, which is unknown: did you mean security.protocol? Or give the option \`ssl\``,
  )
}

/** Lines of a key or a password get to be names where the file was broken in the wrong place. */
function shownProperty(name: string): string {
  return name.length <= 80 && /^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*|[a-z]+(?:[A-Z][a-z]+)*)$/.test(name)
    ? name
    : 'a property whose name is not shown, since it may be part of a secret'
}

/** Names of other days and of other programs. */
const OTHER_PROPERTIES: Readonly<Record<string, string>> = {
  'broker.list': "did you mean 'metadata.broker.list'?",
  'zk.connect': 'producers ask the brokers, which metadata.broker.list names',
  'zookeeper.connect': 'producers ask the brokers, which bootstrap.servers names',
}

function unknownProperty(name: string): string {
  const shownName = shownProperty(name)
  if (shownName !== name) return shownName
  const other = Object.hasOwn(OTHER_PROPERTIES, name) ? OTHER_PROPERTIES[name] : undefined
  const near = nearestName(name, [...Object.keys(ROWS), ...SECURITY_NAMES])
  const advice = other ?? (near === undefined ? undefined : `did you mean '${near}'?`)
  return `unknown property '${name}'${advice === undefined ? '' : `: ${advice}`}`
}

function missingServers(properties: ReadonlyMap<string, string>): InvalidConfigError {
  const unknown = [...properties.keys()]
    .filter((name) => !Object.hasOwn(ROWS, name) && securityRow(name) === undefined)
    .map(unknownProperty)
  return new InvalidConfigError(
    `bootstrap.servers is missing, in Kafka 0.8 metadata.broker.list, and so is the option brokers${unknown.length === 0 ? '' : `. There is: ${unknown.slice(0, 5).join('; ')}`}`,
  )
}

/**
 * Java refuses a delivery.timeout.ms that leaves no time for linger.ms and request.timeout.ms, and lengthens its default
 * where it would not do (KIP-91).
 */
function keepTimesInOrder({ options, given, properties, notes }: Reading): void {
  for (const name of ['lingerMs', 'requestTimeoutMs'] as const)
    if (given[name] !== undefined) OPTIONS[name].parse(given[name], name)
  const lingerName = properties.has('linger.ms') ? 'linger.ms' : 'queue.buffering.max.ms'
  const linger = properties.get(lingerName)
  const lingerMs = given.lingerMs ?? (linger === undefined ? JAVA_LINGER_MS : parseWhole(lingerName, linger, 'long'))
  const requestTimeoutMs =
    given.requestTimeoutMs ?? options.requestTimeoutMs ?? Number(OPTIONS.requestTimeoutMs.fallback)
  const least = Math.min(lingerMs + requestTimeoutMs, MAX_TIMER_MS)
  if (given.deliveryTimeoutMs !== undefined) return
  const { deliveryTimeoutMs } = options
  if (deliveryTimeoutMs !== undefined && deliveryTimeoutMs < least) {
    throw new InvalidConfigError(
      `delivery.timeout.ms: given was ${properties.get('delivery.timeout.ms')?.trim()}, allowed is at least linger.ms and request.timeout.ms together, which are ${lingerMs} and ${requestTimeoutMs}; Java refuses it, too`,
    )
  }
  if (options.lingerMs !== undefined) options.lingerMs = Math.min(options.lingerMs, MAX_TIMER_MS - 1)
  if (deliveryTimeoutMs === undefined && least > Number(OPTIONS.deliveryTimeoutMs.fallback)) {
    options.deliveryTimeoutMs = least
    notes.push(
      `delivery.timeout.ms is not given: ${least} is taken, linger.ms and request.timeout.ms together, as in Java`,
    )
  }
}

/** Java caps one number by the other, or does not mind, where the options here must agree. What the program gives stays. */
function keepSizesInOrder(reading: Reading): void {
  const { options, given, properties, notes } = reading
  if (!properties.has('metadata.broker.list') && options.retryBackoffMs !== undefined) {
    // Without a maximum in the file Java's own default is it.
    options.retryBackoffMaxMs ??= given.retryBackoffMaxMs ?? Number(OPTIONS.retryBackoffMaxMs.fallback)
  }
  for (const [name, limit] of [
    ['retryBackoffMs', 'retryBackoffMaxMs'],
    ['batchBytes', 'queueBytes'],
    ['batchBytes', 'maxRequestBytes'],
    ['batchMessages', 'queueMessages'],
  ] as const) {
    const number = given[name] ?? options[name]
    const most = given[limit] ?? options[limit]
    if (number === undefined || most === undefined || number <= most) continue
    if (given[name] === undefined) {
      options[name] = most
      notes.push(`${name} is ${most} instead of ${number}, since ${limit} is no more`)
    } else if (given[limit] === undefined) {
      options[limit] = number
      notes.push(`${limit} is ${number} instead of ${most}, since ${name} is given so`)
    }
  }
}

function noteDefaultsOf08({ options, notes }: Reading): void {
  if (options.partitioner === undefined) {
    options.partitioner = 'java_hash'
    notes.push('partitioner.class is not given: keys go where Kafka 0.8’s default partitioner sent them')
  }
  if (options.acks === undefined) notes.push('request.required.acks is not given: -1 is taken, Kafka 0.8 took 0')
}
