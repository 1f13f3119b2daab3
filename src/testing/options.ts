import type { TlsOptions } from 'node:tls'
import { InvalidConfigError } from '../errors.js'
import { given } from '../given.js'
import { isRecord } from '../is-record.js'
import { checkSecureContext } from '../network/streams/tls-options.js'
import { counted } from '../wording/counted.js'
import {
  callback,
  fields,
  flag,
  invalid,
  listOf,
  partitionCount,
  recordOf,
  refused,
  text,
  wholeNumber,
  type Check,
} from './checks.js'
import { checkSubscription, type ClientMetricsSubscription } from './client-metrics.js'
import type { ReceivedRequest } from './journal.js'
import { Release } from './releases.js'
import { checkSasl, type EmbeddedSaslOptions } from './security/sasl-server.js'

/** One broker of the cluster; what is left out is taken from the cluster's options. */
export interface EmbeddedBrokerOptions {
  /** Node id. Default: the lowest free one from 1 on. */
  id?: number | undefined
  /** Default: one the system chooses. */
  port?: number | undefined
  /** Rack, as Metadata tells it. Default: none. */
  rack?: string | undefined
  /** The Kafka release this broker plays. Default: that of the cluster. */
  release?: string | undefined
}

/** A topic's settings. */
export interface EmbeddedTopicOptions {
  /** Default: `defaultPartitions`. */
  partitions?: number | undefined
  /** At most the number of brokers. Default: `defaultReplicationFactor`. */
  replicationFactor?: number | undefined
  /**
   * Settings under Kafka's names. Those with an effect: `cleanup.policy` (`compact` refuses messages without a key),
   * `max.message.bytes`, `message.format.version` (below 0.11: no sequences), `message.timestamp.type`
   * (`LogAppendTime`), `min.insync.replicas`, `retention.bytes`. Others that Kafka has are kept and do nothing.
   */
  config?: Readonly<Record<string, string | number | undefined>> | undefined
}

export interface EmbeddedKafkaOptions {
  /** How many brokers, or one object for each. Their ids count from 1. Default: 1. */
  brokers?: number | readonly EmbeddedBrokerOptions[] | undefined
  /** Topics that exist from the start. Default: none. */
  topics?: Readonly<Record<string, EmbeddedTopicOptions>> | undefined
  /** The Kafka release to play: `'0.8.2'`, `'0.9'`, `'0.10.2'`, `'0.11'`, `'1.1'`, `'2.8'`, `'3.9'`, `'4'`. Default: `'4'`. */
  release?: string | undefined
  /** Whether a Metadata request creates the topics it names. Default: true. */
  autoCreateTopics?: boolean | undefined
  /** Partitions of a topic that is created without a number. Default: 1. */
  defaultPartitions?: number | undefined
  /** Replicas of a topic that is created without a number, or as many as there are brokers. Default: 3; Kafka's is 1. */
  defaultReplicationFactor?: number | undefined
  /** Bytes of the largest batch accepted. Default: that of Kafka, 1,048,588; before 2.5, 1,000,012. */
  messageMaxBytes?: number | undefined
  /** In-sync replicas that acks -1 needs. Default: 1. */
  minInsyncReplicas?: number | undefined
  /** Bytes that a partition keeps in memory; older messages go, as with Kafka's retention. Default: 128 MiB. */
  retentionBytes?: number | undefined
  /** The address to listen on and to tell clients. Default: `'127.0.0.1'`. */
  host?: string | undefined
  /** Ports of the brokers in their order. Default: such as the system chooses. */
  ports?: readonly number[] | undefined
  /**
   * How many requests `EmbeddedKafka.requests` remembers, and `authentications` and `receivedMetrics` of theirs; older ones
   * go. Default: 10,000.
   */
  requestHistory?: number | undefined
  /**
   * Told of each request on which a broker hung up because it could not read or serve it, or because it was a Produce
   * without acks that failed; `hungUp` says why. They stand in `EmbeddedKafka.requests` too. Default: nobody is told.
   */
  onHangUp?: ((request: ReceivedRequest) => void) | undefined
  /** Node's options of a TLS server, such as `key` and `cert`: all brokers then speak TLS. Default: none. */
  ssl?: TlsOptions | undefined
  /** All brokers then want clients to authenticate. Default: none. */
  sasl?: EmbeddedSaslOptions | undefined
  /** Milliseconds for which the first member of a consumer group waits for others. Default: 0; Kafka's is 3,000. */
  initialRebalanceDelayMs?: number | undefined
  /** The shortest session timeout that a consumer may ask for, in milliseconds. Default: 6,000. */
  minSessionTimeoutMs?: number | undefined
  /**
   * What the cluster wants of clients' metrics (KIP-714); brokers of 3.9 and 4 then list the requests for that, as Kafka's
   * do that have a plug-in for them. Default: none, they do not.
   */
  clientMetrics?: ClientMetricsSubscription | undefined
}

export interface ResolvedBrokerOptions {
  readonly id: number
  readonly port: number
  readonly rack: string | null
  readonly release: Release
}

export interface ResolvedOptions {
  readonly brokers: readonly ResolvedBrokerOptions[]
  readonly topics: Readonly<Record<string, EmbeddedTopicOptions>>
  readonly release: Release
  readonly autoCreateTopics: boolean
  readonly defaultPartitions: number
  readonly defaultReplicationFactor: number
  readonly messageMaxBytes: number
  readonly minInsyncReplicas: number
  readonly retentionBytes: number
  readonly host: string
  readonly requestHistory: number
  readonly onHangUp: ((request: ReceivedRequest) => void) | undefined
  readonly ssl: TlsOptions | undefined
  readonly sasl: EmbeddedSaslOptions | undefined
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly clientMetrics: ClientMetricsSubscription | undefined
}

const DEFAULTS = {
  autoCreateTopics: true,
  defaultPartitions: 1,
  defaultReplicationFactor: 3,
  minInsyncReplicas: 1,
  retentionBytes: 128 * 1024 * 1024,
  host: '127.0.0.1',
  requestHistory: 10_000,
  initialRebalanceDelayMs: 0,
  minSessionTimeoutMs: 6_000,
} as const

/** Whether there is such a release is asked later. */
export const checkRelease: Check = (name, value) => {
  if (typeof value !== 'string') throw refused(name, value, "a text such as '4' or '3.9'")
}

export const checkPort = wholeNumber(0, 0xffff)
const atLeastOne = wholeNumber(1)

/** As the wire has it. */
const brokerId = wholeNumber(0, 0x7fffffff)

export const checkBroker = fields<EmbeddedBrokerOptions>({
  id: brokerId,
  port: checkPort,
  rack: text,
  release: checkRelease,
})

export const checkTopic = fields<EmbeddedTopicOptions>({
  partitions: partitionCount,
  replicationFactor: atLeastOne,
  config: recordOf((name, value) => {
    // Everything else that can be written down is taken as it is written.
    if (value === null || typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol')
      throw refused(name, value, 'a text or a number')
  }),
})

/** Any of these, and a server can say who it is. */
const IDENTITIES: readonly (readonly (keyof TlsOptions)[])[] = [
  ['cert', 'key'],
  ['pfx'],
  ['SNICallback'],
  ['pskCallback'],
  ['cert', 'privateKeyIdentifier'],
]

/** Its fields are Node's. Of certificates nothing is told but the field. */
const checkSsl: Check = (name, value) => {
  if (!isRecord(value)) throw refused(name, value, "an object of Node's options of a TLS server")
  const options: TlsOptions = given(value)
  // Each handshake would fail, as if the client were to blame.
  if (!IDENTITIES.some((needed) => needed.every((field) => field in options)))
    throw invalid(`${name}: a server needs \`cert\` and \`key\`, or \`pfx\``)
  try {
    checkSecureContext(options, name)
  } catch (cause) {
    throw cause instanceof InvalidConfigError ? invalid(cause.message) : cause
  }
}

const checkOptions = fields<EmbeddedKafkaOptions>({
  brokers: (name, value) => {
    if (Array.isArray(value)) listOf(checkBroker)(name, value)
    else if (typeof value === 'number') atLeastOne(name, value)
    else throw refused(name, value, 'a whole number of at least 1, or a list of objects')
  },
  topics: recordOf(checkTopic),
  release: checkRelease,
  autoCreateTopics: flag,
  defaultPartitions: partitionCount,
  defaultReplicationFactor: atLeastOne,
  messageMaxBytes: atLeastOne,
  minInsyncReplicas: atLeastOne,
  retentionBytes: atLeastOne,
  host: (name, value) => {
    if (typeof value !== 'string' || value === '') throw refused(name, value, "an address such as '127.0.0.1'")
  },
  ports: listOf(checkPort),
  requestHistory: atLeastOne,
  onHangUp: callback,
  ssl: checkSsl,
  sasl: checkSasl,
  initialRebalanceDelayMs: wholeNumber(0),
  minSessionTimeoutMs: atLeastOne,
  clientMetrics: checkSubscription,
})

/** Throws `INVALID_OPTION` or `UNKNOWN_RELEASE`. */
export function resolveOptions(options: EmbeddedKafkaOptions): ResolvedOptions {
  checkOptions('options', options)
  const release = Release.named(options.release ?? '4', options.clientMetrics !== undefined)
  return {
    brokers: resolveBrokers(options, release),
    topics: options.topics ?? {},
    release,
    autoCreateTopics: options.autoCreateTopics ?? DEFAULTS.autoCreateTopics,
    defaultPartitions: options.defaultPartitions ?? DEFAULTS.defaultPartitions,
    defaultReplicationFactor: options.defaultReplicationFactor ?? DEFAULTS.defaultReplicationFactor,
    messageMaxBytes: options.messageMaxBytes ?? release.messageMaxBytes,
    minInsyncReplicas: options.minInsyncReplicas ?? DEFAULTS.minInsyncReplicas,
    retentionBytes: options.retentionBytes ?? DEFAULTS.retentionBytes,
    host: options.host ?? DEFAULTS.host,
    requestHistory: options.requestHistory ?? DEFAULTS.requestHistory,
    onHangUp: options.onHangUp,
    ssl: options.ssl,
    sasl: options.sasl,
    initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? DEFAULTS.initialRebalanceDelayMs,
    minSessionTimeoutMs: options.minSessionTimeoutMs ?? DEFAULTS.minSessionTimeoutMs,
    clientMetrics: options.clientMetrics,
  }
}

function resolveBrokers(options: EmbeddedKafkaOptions, release: Release): ResolvedBrokerOptions[] {
  const { brokers = 1, ports = [] } = options
  const list = typeof brokers === 'number' ? Array.from({ length: brokers }, () => ({})) : brokers
  if (list.length === 0) throw invalid('brokers: one at the least')
  if (ports.length > list.length)
    throw invalid(`ports: given were ${ports.length} for ${counted(list.length, 'broker')}, which \`brokers\` says`)
  const resolved: ResolvedBrokerOptions[] = []
  list.forEach((broker, index) => {
    resolved.push(
      resolveBroker(
        { port: ports[index] ?? 0, ...given(broker) },
        release,
        resolved.map(({ id }) => id),
      ),
    )
  })
  return resolved
}

/** `taken` are the ids that other brokers have. */
export function resolveBroker(
  options: EmbeddedBrokerOptions,
  release: Release,
  taken: readonly number[],
): ResolvedBrokerOptions {
  let id = options.id ?? 1
  while (options.id === undefined && taken.includes(id)) id++
  if (taken.includes(id)) throw invalid(`there is a broker ${id} already`)
  return {
    id,
    port: options.port ?? 0,
    rack: options.rack ?? null,
    release: options.release === undefined ? release : Release.named(options.release, release.takesMetrics),
  }
}
