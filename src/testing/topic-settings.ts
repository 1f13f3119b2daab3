import type { CreatableTopicConfig, CreatedTopicConfig } from '../protocol/apis/create-topics.js'
import type { Release } from './releases.js'

/**
 * The settings that a topic may have in a release of Kafka, what they are where nobody gives them, and what Kafka says of
 * values that make no sense. Only some have an effect here: `TopicConfig` knows which.
 */
interface Setting {
  readonly name: string
  readonly defaultValue: string | ((release: Release) => string)
  /** What is wrong with a value, in Kafka's words; undefined where nothing is. */
  readonly check: (value: string, release: Release) => string | undefined
  /** The first release that has it, and the first that no longer does. */
  readonly from?: ReleaseNumber
  readonly before?: ReleaseNumber
}

type ReleaseNumber = readonly [major: number, minor: number]
type Check = Setting['check']

const LARGEST = { INT: 2n ** 31n - 1n, LONG: 2n ** 63n - 1n } as const
const FOREVER = String(LARGEST.LONG)

function integer(type: 'INT' | 'LONG', min?: (release: Release) => number, max?: number): Check {
  return (value, release) => {
    const text = value.trim()
    const number = /^[+-]?\d+$/.test(text) ? BigInt(text.replace('+', '')) : undefined
    if (number === undefined || number > LARGEST[type] || number < -LARGEST[type] - 1n)
      return `Not a number of type ${type}`
    const least = min?.(release)
    if (least !== undefined && number < least) return `Value must be at least ${least}`
    return max !== undefined && number > max ? `Value must be no more than ${max}` : undefined
  }
}

const int = (min: number, max?: number): Check => integer('INT', () => min, max)
const long = (min: number): Check => integer('LONG', () => min)

const boolean: Check = (value) =>
  /^(true|false)$/i.test(value.trim()) ? undefined : 'Expected value to be either true or false'

const ratio: Check = (value) => {
  const number = Number(value)
  if (value.trim() === '' || Number.isNaN(number)) return 'Not a number of type DOUBLE'
  if (number < 0) return 'Value must be at least 0'
  return number > 1 ? 'Value must be no more than 1' : undefined
}

function oneOf(...values: string[]): Check {
  return (value) => (values.includes(value.trim()) ? undefined : `String must be one of: ${values.join(', ')}`)
}

const gzipLevel: Check = (value, release) => {
  const problem = integer('INT')(value, release)
  const level = Number(value)
  if (problem !== undefined || level === -1 || (level >= 1 && level <= 9)) return problem
  return 'Value must be between 1 and 9 or equal to -1'
}

const formatVersion: Check = (value, release) =>
  /^(0\.(8|9|10|11)|[123]\.\d)(\.|-|$)/.test(value)
    ? undefined
    : `Version ${release.isKraft ? value : `\`${value}\``} is not a valid version`

function throttled(name: string): Setting {
  return {
    name,
    defaultValue: '',
    check: (value) =>
      /^(\*|\d+:\d+(,\d+:\d+)*)?$/.test(value.replace(/\s/g, ''))
        ? undefined
        : `${name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...`,
    from: [0, 10],
  }
}

const TIERED = { from: [3, 6] } as const
const CODEC_LEVELS = { from: [3, 8] } as const
const NEWEST = { from: [4, 4] } as const
const POLICIES = oneOf('compact', 'delete')

const SETTINGS: readonly Setting[] = [
  { name: 'cleanup.policy', defaultValue: 'delete', check: POLICIES },
  { name: 'compression.gzip.level', defaultValue: '-1', check: gzipLevel, ...CODEC_LEVELS },
  { name: 'compression.lz4.level', defaultValue: '9', check: int(1, 17), ...CODEC_LEVELS },
  {
    name: 'compression.type',
    defaultValue: 'producer',
    check: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
  },
  { name: 'compression.zstd.level', defaultValue: '3', check: int(-131_072, 22), ...CODEC_LEVELS },
  { name: 'delete.retention.ms', defaultValue: '86400000', check: long(0) },
  { name: 'errors.deadletterqueue.group.enable', defaultValue: 'false', check: boolean, ...NEWEST },
  { name: 'file.delete.delay.ms', defaultValue: '60000', check: long(0) },
  { name: 'flush.messages', defaultValue: FOREVER, check: integer('LONG', ({ isKraft }) => (isKraft ? 1 : 0)) },
  { name: 'flush.ms', defaultValue: FOREVER, check: long(0) },
  throttled('follower.replication.throttled.replicas'),
  { name: 'index.interval.bytes', defaultValue: '4096', check: int(0) },
  throttled('leader.replication.throttled.replicas'),
  { name: 'local.retention.bytes', defaultValue: '-2', check: long(-2), ...TIERED },
  { name: 'local.retention.ms', defaultValue: '-2', check: long(-2), ...TIERED },
  { name: 'max.compaction.lag.ms', defaultValue: FOREVER, check: long(1), from: [2, 3] },
  { name: 'max.decompressed.message.bytes', defaultValue: '2147483639', check: int(0), ...NEWEST },
  { name: 'max.message.bytes', defaultValue: '1048588', check: int(0) },
  { name: 'message.downconversion.enable', defaultValue: 'true', check: boolean, from: [2, 0], before: [4, 0] },
  {
    name: 'message.format.version',
    // The last one that there was, see KIP-724.
    defaultValue: ({ isKraft, name }) => (isKraft ? '3.0-IV1' : name === '2.8' ? '2.8-IV1' : name),
    check: formatVersion,
    from: [0, 10],
    before: [4, 0],
  },
  {
    name: 'message.timestamp.after.max.ms',
    defaultValue: ({ maxTimestampAheadMs }) =>
      maxTimestampAheadMs === Infinity ? FOREVER : String(maxTimestampAheadMs),
    check: long(0),
    from: [3, 6],
  },
  { name: 'message.timestamp.before.max.ms', defaultValue: FOREVER, check: long(0), from: [3, 6] },
  {
    name: 'message.timestamp.difference.max.ms',
    defaultValue: FOREVER,
    check: long(0),
    from: [0, 10],
    before: [4, 0],
  },
  {
    name: 'message.timestamp.type',
    defaultValue: 'CreateTime',
    check: oneOf('CreateTime', 'LogAppendTime'),
    from: [0, 10],
  },
  { name: 'min.cleanable.dirty.ratio', defaultValue: '0.5', check: ratio },
  { name: 'min.compaction.lag.ms', defaultValue: '0', check: long(0), from: [0, 10] },
  { name: 'min.insync.replicas', defaultValue: '1', check: int(1) },
  { name: 'preallocate', defaultValue: 'false', check: boolean },
  { name: 'remote.copy.lag.bytes', defaultValue: '-1', check: long(-1), ...NEWEST },
  { name: 'remote.copy.lag.ms', defaultValue: '0', check: long(-1), ...NEWEST },
  { name: 'remote.log.copy.disable', defaultValue: 'false', check: boolean, from: [3, 9] },
  { name: 'remote.log.delete.on.disable', defaultValue: 'false', check: boolean, from: [3, 9] },
  { name: 'remote.storage.enable', defaultValue: 'false', check: boolean, ...TIERED },
  { name: 'retention.bytes', defaultValue: '-1', check: integer('LONG') },
  { name: 'retention.ms', defaultValue: '604800000', check: long(-1) },
  {
    name: 'segment.bytes',
    defaultValue: '1073741824',
    check: integer('INT', (release) => (release.atLeast(4, 0) ? 1_048_576 : 14)),
  },
  {
    name: 'segment.index.bytes',
    defaultValue: '10485760',
    check: integer('INT', (release) => (release.isKraft ? 4 : 0)),
  },
  { name: 'segment.jitter.ms', defaultValue: '0', check: long(0) },
  { name: 'segment.ms', defaultValue: '604800000', check: long(1) },
  { name: 'unclean.leader.election.enable', defaultValue: 'false', check: boolean },
]

/** Those of any release. */
export const SETTING_NAMES: readonly string[] = SETTINGS.map(({ name }) => name)

/** Lists are checked item by item, each told of alone. */
const LISTS: ReadonlySet<string> = new Set(['cleanup.policy'])
const TIERED_STORAGE_IS_OFF =
  'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.'

function settingsOf(release: Release): Setting[] {
  return SETTINGS.filter(
    ({ from = [0, 0], before = [Infinity, 0] }) => release.atLeast(...from) && !release.atLeast(...before),
  )
}

/** What Kafka says of settings that a topic can't have; undefined where nothing is wrong. */
export function problemOfSettings(configs: readonly CreatableTopicConfig[], release: Release): string | undefined {
  const known = new Map(settingsOf(release).map((setting) => [setting.name, setting]))
  const unknown = configs.find(({ name }) => !known.has(name))
  if (unknown !== undefined) return `Unknown topic config name: ${unknown.name}`
  const given = givenSettings(configs)
  for (const [name, value] of given) {
    const problem = problemOfValue(known.get(name) as Setting, value, release)
    if (problem !== undefined) return problem
  }
  if (given.get('remote.storage.enable')?.trim().toLowerCase() === 'true') return TIERED_STORAGE_IS_OFF
  const min = BigInt(given.get('min.compaction.lag.ms') ?? 0)
  const max = BigInt(given.get('max.compaction.lag.ms') ?? FOREVER)
  return min > max
    ? `conflict topic config setting min.compaction.lag.ms (${min}) > max.compaction.lag.ms (${max})`
    : undefined
}

/** The last of several values of a name counts. */
export function givenSettings(configs: readonly CreatableTopicConfig[]): ReadonlyMap<string, string> {
  return new Map(configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value] as const])))
}

function problemOfValue({ name, check }: Setting, value: string, release: Release): string | undefined {
  const parts = LISTS.has(name) ? value.split(',').map((part) => part.trim()) : [value]
  for (const part of value === '' && LISTS.has(name) ? [] : parts) {
    const problem = check(part, release)
    if (problem === undefined) continue
    const shown = name.endsWith('.throttled.replicas') ? `[${part}]` : part
    return `Invalid value ${shown} for configuration ${name}: ${problem}`
  }
  return undefined
}

/** Where a value comes from, by Kafka's numbers. */
const SOURCE = { topic: 1, brokersByDefault: 3, kafka: 5 } as const

/** All settings of a topic of this release, as CreateTopics tells of them (KIP-525). */
export function describeSettings(
  given: ReadonlyMap<string, string>,
  defaults: ReadonlyMap<string, string>,
  release: Release,
): CreatedTopicConfig[] {
  return settingsOf(release).map(({ name, defaultValue }) => {
    const own = given.get(name)
    // Kafka 4 keeps this one for the whole cluster (KIP-966).
    const elsewhere = name === 'min.insync.replicas' && release.atLeast(4, 0) ? SOURCE.brokersByDefault : SOURCE.kafka
    return {
      name,
      value: own ?? defaults.get(name) ?? (typeof defaultValue === 'string' ? defaultValue : defaultValue(release)),
      readOnly: false,
      configSource: own === undefined ? elsewhere : SOURCE.topic,
      isSensitive: false,
    }
  })
}
