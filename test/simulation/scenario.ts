import type { FaultMoment, Spoiling } from '../../src/testing/faults.js'
import type { ApiName } from '../../src/testing/index.js'
import type { Liar, Lie } from './lies.js'
import type { NetworkOptions } from './network.js'

/** What an encoder does with a value, or a codec with a batch. */
export type CodeOf = 'at once' | 'late' | 'throws' | 'rejects' | 'never settles' | 'garbage' | 'thenable'
/** What the user does when he hears of a fate. */
export type Reaction = 'nothing' | 'send' | 'flush' | 'abort' | 'throw' | 'reject' | 'close'

/**
 * What is unusual about messages: null where nothing is; bytes that choose the partition; bytes that are gone or fewer as
 * soon as `send()` has returned, against what was agreed; one that is wrong, the last of its list; a signal that is none;
 * an encoder that throws for the first and works on at the others; timestamps that Kafka 4 finds too far ahead.
 */
export type Oddity = 'nulls' | 'partition key' | 'detached' | 'invalid' | 'wrong signal' | 'mixed' | 'ahead'

/** Messages that are given together. */
export interface Given {
  /** Of the first message; the others count on. */
  readonly id: number
  readonly count: number
  /** In one call; otherwise each in one of its own. */
  readonly list: boolean
  readonly topic: string
  readonly partition?: number
  /** How many keys there are; 0: none. */
  readonly keys: number
  readonly size: number
  readonly headers?: boolean
  readonly timestamp?: boolean
  readonly signal?: number
  readonly code?: CodeOf
  readonly odd?: Oddity
}

/** How a stream of messages is written, and ends. */
export interface Streamed extends Omit<Given, 'list' | 'odd'> {
  readonly by: 'write' | 'pipeline' | 'sendAll'
  /** As the stream has the topic where they have none. */
  readonly shape: 'message' | 'without topic' | 'bare'
  readonly inFlight?: number
  /** Between one message and the next. */
  readonly everyMs: number
  /** Whoever writes waits where he is told to. */
  readonly heeds?: boolean
  readonly corks?: boolean
  /** The bytes given are changed as soon as that is allowed. */
  readonly changes?: boolean
  /** Nothing comes any more, and there is no end: `'leave'`, `'hang'`; code of the user's throws. */
  /** In the midst of them is something that is no message, or none that a broker could take; null to `sendAll()` alone. */
  readonly wrong?: 'list' | 'no value' | 'headers' | 'null'
  /** When it has finished, or failed. */
  readonly then?: Reaction
  readonly ends: 'end' | 'end, then destroy' | 'throw' | 'leave' | 'hang'
}

/** What a program does within a transaction, one after the other. */
export type Step =
  | (Given & {
      readonly do: 'send'
      /** It waits for the fate, and fails with it. */
      readonly awaits: boolean
    })
  | { readonly do: 'offsets'; readonly partition?: number; readonly awaits: boolean }
  | { readonly do: 'wait'; readonly ms: number }

/** How a transaction ends, as far as its program goes; `'leave'`: not. */
export type TransactionEnd = 'commit' | 'abort' | 'leave' | 'commit twice' | 'commit, then abort' | 'abort, then commit'

/** What a cluster wants of its clients' metrics (KIP-714); of all that have names that begin with one of these. */
export interface MetricsWanted {
  readonly intervalMs: number
  readonly metrics: readonly string[]
  readonly maxBytes: number
}

/** What happens, and when: milliseconds from the start. All of it is data, so that a part of it can be left out. */
export type Action = { readonly at: number } & (
  | (Given & {
      readonly do: 'send'
      /** The bytes given are changed as soon as that is allowed. */
      readonly changes?: boolean
      readonly then?: Reaction
    })
  | {
      readonly do: 'transact'
      readonly id: number
      /** Given as a function, or step by step. */
      readonly manual: boolean
      readonly steps: readonly Step[]
      /** A function aborts by throwing, and leaves by never settling. */
      readonly end: TransactionEnd
      /** Another program with the same transactional id does it. */
      readonly rival?: boolean
      /** It sends something more when it has ended. */
      readonly late?: boolean
    }
  | (Streamed & { readonly do: 'stream' })
  | { readonly do: 'flush'; readonly timeoutMs?: number }
  | { readonly do: 'abort'; readonly signal: number }
  | { readonly do: 'close'; readonly timeoutMs: number }
  | { readonly do: 'ask'; readonly topic: string }
  | { readonly do: 'connect'; readonly timeoutMs?: number; readonly signal?: number }
  /** A probe asks whether it is healthy, again and again. */
  | { readonly do: 'health'; readonly everyMs: number; readonly times: number }
  /** Asks for one topic after the other, none of which is there; or for one again and again. */
  | { readonly do: 'browse'; readonly topic?: string; readonly everyMs: number; readonly times: number }
  | {
      readonly do: 'fail'
      readonly api: ApiName
      /** A number for one that nobody knows. */
      readonly error: string | number
      readonly topic?: string
      /** A leader that waits for replicas is one no more: it tells the offset where it has written. */
      readonly whileWaiting?: boolean
      /** What is refused is written all the same. */
      readonly appends?: boolean
      readonly times: number
    }
  | { readonly do: 'cut'; readonly api: ApiName; readonly moment: FaultMoment | 'mid-response'; readonly times: number }
  | { readonly do: 'delay'; readonly api: ApiName; readonly ms: number; readonly times: number }
  | { readonly do: 'stall'; readonly api: ApiName; readonly moment: FaultMoment; readonly ms: number }
  | { readonly do: 'spoil'; readonly api: ApiName; readonly how: Spoiling }
  | { readonly do: 'lie'; readonly api: Liar; readonly how: Lie; readonly times: number }
  | { readonly do: 'throttle'; readonly api: ApiName; readonly ms: number; readonly times: number }
  | { readonly do: 'pause'; readonly broker: number; readonly ms: number }
  | {
      readonly do: 'restart'
      readonly broker: number
      readonly ms: number
      readonly electionMs: number
      readonly elsewhere?: boolean
      readonly release?: string
    }
  | { readonly do: 'move'; readonly topic: string; readonly partition: number; readonly broker: number }
  | { readonly do: 'delete' | 'grow' | 'retain'; readonly topic: string }
  /** With as many partitions as before, unless it says otherwise. */
  | { readonly do: 'recreate'; readonly topic: string; readonly partitions?: number }
  /** The cluster wants other metrics of its clients from then on. */
  | { readonly do: 'subscribe'; readonly to: MetricsWanted }
  /** A broker leads that was not in sync: the newest writes to each partition are lost. */
  | { readonly do: 'truncate'; readonly topic: string; readonly count: number }
  /** Another cluster, so much later, with topics that are empty; its producer ids may be those of the one before again. */
  | { readonly do: 'anew'; readonly ms: number; readonly otherIds?: boolean }
  | { readonly do: 'join' | 'leave'; readonly broker: number }
  | { readonly do: 'freeze' | 'refuse' | 'deafen' | 'silence'; readonly broker: number; readonly ms: number }
  | { readonly do: 'reset' | 'halve' | 'babble'; readonly broker: number }
  | { readonly do: 'jump' | 'hang'; readonly ms: number }
  | { readonly do: 'lock'; readonly ms: number }
)

export type StreamAction = Extract<Action, { readonly do: 'stream' }>

/** An action whose time is still to be chosen. */
export type Undated<T> = T extends Action ? Omit<T, 'at'> : never

const OF_USER = [
  ...(['send', 'stream', 'transact', 'flush', 'abort', 'close', 'ask', 'connect', 'health', 'browse', 'lock'] as const),
] as const
/** What the user does, or his surroundings. All else befalls the cluster and the network. */
export type UserAction = Extract<Action, { readonly do: (typeof OF_USER)[number] }>

export function isOfUser(action: Action): action is UserAction {
  return (OF_USER as readonly string[]).includes(action.do)
}

const OF_WORLD = ['delete', 'recreate', 'grow', 'retain', 'truncate', 'anew', 'join', 'leave', 'subscribe'] as const
/** What the cluster is, and holds. */
export type WorldAction = Extract<Action, { readonly do: (typeof OF_WORLD)[number] }>

export function isOfWorld(action: Action): action is WorldAction {
  return (OF_WORLD as readonly string[]).includes(action.do)
}

/** Options of the producer that are plain values. */
export interface PlainOptions {
  readonly type: 'sync' | 'async'
  readonly acks: -1 | 0 | 1
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly retries?: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly metadataRefreshIntervalMs: number
  readonly metadataMaxIdleMs?: number
  readonly lingerMs?: number
  readonly batchMessages?: number
  readonly batchBytes: number
  readonly maxRequestBytes: number
  readonly queueMessages: number
  readonly queueBytes: number
  readonly enqueueTimeoutMs: number
  readonly maxInFlight: number
  readonly connectTimeoutMs: number
  readonly connectionsMaxIdleMs: number
  readonly copyBytes: boolean
}

export interface Scenario {
  readonly seed: number
  readonly brokers: number
  readonly release: string
  /** Partitions of each topic, by its name. */
  readonly topics: Readonly<Record<string, number>>
  readonly autoCreateTopics: boolean
  /** With SASL; how long sessions last, 0: without end. */
  readonly sessionLifetimeMs?: number
  readonly network: NetworkOptions
  /** How long each look at the clock takes. */
  readonly lookMs: number
  readonly options: PlainOptions
  /** All is sent in transactions, by a producer made for that. */
  readonly transactionTimeoutMs?: number
  readonly partitioner: 'by key' | 'round robin' | 'throws' | 'sends' | 'hook throws' | 'promises'
  /** `'pool'`: as Node's, which have threads of their own, and now and then fail. */
  readonly codec: CodeOf | 'none' | 'pool'
  readonly onDelivery: Reaction
  /** Whatever is wrong does not concern what is sent: each message is acknowledged within so long. */
  readonly promptMs?: number
  /** Streams that the user gives, in place of sockets; `'promises'`: he takes his time, and fails now and then. */
  readonly ownConnections: boolean | 'promises'
  /** Settings of the topics. */
  readonly config?: Readonly<Record<string, string | number>>
  readonly idempotent?: boolean
  /**
   * Messages are seen by an interceptor, which puts others of the same content in their place, and does that when it hears
   * of their fates.
   */
  readonly intercepts?: boolean | Reaction
  /** The user is told of what was counted, so often. */
  readonly statsIntervalMs?: number
  /** The cluster wants metrics of its clients. */
  readonly wantsMetrics?: MetricsWanted
  /** Calls and questions for metadata are watched, as tracing does. */
  readonly watchesCalls?: boolean
  readonly actions: readonly Action[]
}

export const BEFORE_SEQUENCES: ReadonlySet<string> = new Set(['0.8.2', '0.9', '0.10.2'])
/** Before KIP-360 (2.5) brokers forget with the last of its records that there was a producer. */
export const FORGETTING: ReadonlySet<string> = new Set([...BEFORE_SEQUENCES, '0.11', '1.1'])

/** What a scenario is unless it says otherwise. */
export const PLAIN: Scenario = {
  seed: 1,
  brokers: 1,
  release: '4',
  topics: { t1: 1 },
  autoCreateTopics: true,
  network: { delayMs: 0.2, splits: 0 },
  lookMs: 0,
  options: {
    type: 'sync',
    acks: -1,
    requestTimeoutMs: 1_000,
    deliveryTimeoutMs: 10_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1_000,
    metadataRefreshIntervalMs: 300_000,
    batchBytes: 100_000,
    maxRequestBytes: 200_000,
    queueMessages: 100_000,
    queueBytes: 10_000_000,
    enqueueTimeoutMs: 60_000,
    maxInFlight: 5,
    connectTimeoutMs: 2_000,
    connectionsMaxIdleMs: 180_000,
    copyBytes: false,
  },
  partitioner: 'by key',
  codec: 'none',
  onDelivery: 'nothing',
  ownConnections: false,
  actions: [],
}
