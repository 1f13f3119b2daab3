/** Who produces: a process for each, whose manner and Node are drawn from the seed. */
import { isBefore } from '../kafka/support/features.js'
import type { Dice } from '../simulation/dice.js'

export type Manner = 'sync' | 'async' | 'transactional'
export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface Role {
  /** Also its client id. */
  readonly name: string
  /** Of whoever takes its place, too. */
  readonly transactionalId: string
  readonly manner: Manner
  readonly acks: 1 | -1
  readonly idempotent: boolean
  readonly codec: Codec
  readonly node: string
  readonly topics: readonly string[]
  /** Of its messages those of a topic that is deleted and made anew may be gone. */
  readonly isFleeting: boolean
  readonly messagesPerSecond: number
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly connectionsMaxIdleMs: number
  readonly metadataRefreshIntervalMs: number
}

/** Topics of one round. */
export interface Topics {
  readonly steady: readonly string[]
  readonly fleeting: string
  readonly ledger: string
}

const NODES = ['22', '24', '26']

/** Before Kafka 0.11 there are neither sequences nor transactions. */
export function drawRoles(dice: Dice, release: string, round: number, topics: Topics, totalPerSecond: number): Role[] {
  const hasSequences = !isBefore(release, '0.11')
  const codecs: Codec[] = ['none', 'gzip', 'snappy', 'lz4', ...(isBefore(release, '2.1') ? [] : (['zstd'] as const))]
  const offset = dice.below(codecs.length)
  const firstNode = dice.below(NODES.length)
  const kinds: Pick<Role, 'manner' | 'acks' | 'idempotent' | 'isFleeting'>[] = [
    { manner: 'sync', acks: -1, idempotent: hasSequences, isFleeting: false },
    { manner: 'async', acks: -1, idempotent: hasSequences, isFleeting: false },
    { manner: 'sync', acks: -1, idempotent: false, isFleeting: false },
    { manner: 'async', acks: 1, idempotent: false, isFleeting: false },
    { manner: 'sync', acks: -1, idempotent: hasSequences, isFleeting: true },
    ...(hasSequences
      ? [{ manner: 'transactional', acks: -1, idempotent: true, isFleeting: false } as const]
      : [{ manner: 'sync', acks: 1, idempotent: false, isFleeting: false } as const]),
  ]
  return kinds.map((kind, index) => ({
    ...kind,
    name: `chaos-${round}-${index + 1}`,
    transactionalId: `chaos-${round}-${index + 1}`,
    codec: codecs[(offset + index) % codecs.length] as Codec,
    node: NODES[(firstNode + index) % NODES.length] as string,
    topics: kind.isFleeting ? [topics.fleeting] : kind.manner === 'transactional' ? [topics.ledger] : topics.steady,
    messagesPerSecond: Math.ceil(totalPerSecond / kinds.length),
    requestTimeoutMs: dice.pick([1_000, 2_000, 4_000]),
    deliveryTimeoutMs: dice.pick([2_000, 10_000, 30_000]),
    connectionsMaxIdleMs: dice.pick([1_000, 180_000]),
    metadataRefreshIntervalMs: dice.pick([2_000, 300_000]),
  }))
}
