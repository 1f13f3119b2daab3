import { systemClock } from '../../../../src/clock.js'
import type { KafkaProducerError } from '../../../../src/errors.js'
import type { Coordination, Question } from '../../../../src/producer/transactions/coordinator.js'
import { TransactionManager } from '../../../../src/producer/transactions/transaction-manager.js'
import { TransactionRequests } from '../../../../src/producer/transactions/transaction-requests.js'
import { txnOffsetCommit } from '../../../../src/protocol/apis/txn-offset-commit.js'
import { ServedVersions } from '../../../../src/protocol/versions.js'

/** What a coordinator was asked: `'EndTxn commit 7/0'`. */
export type Asked = string

export interface ClusterScript {
  /** The level of `transaction.version`. */
  transactionVersion?: number
  /** Highest version of InitProducerId. */
  initVersion?: number
  /** Per request, in turn: the error code, or what the question throws. Nothing more said: it succeeds. */
  answers?: Record<string, (number | Error)[]>
  /** Requests of which a first try has no answer, and the next one has. */
  unanswered?: readonly string[]
  /** Called when a question goes out. */
  onAsked?: (asked: Asked) => void | Promise<void>
}

/** Coordinators that answer what the test says; nothing passes by itself: what they are asked is asked once. */
export class FakeCoordinators {
  readonly asked: Asked[] = []
  readonly versions: Record<string, number> = {}
  readonly takenOut: KafkaProducerError[] = []
  readonly manager: TransactionManager
  private epoch = 0
  private producerId = 7n

  constructor(readonly script: ClusterScript = {}) {
    const coordinator = this.coordination()
    const requests = new TransactionRequests({
      transactionalId: 'tx',
      transactionTimeoutMs: 60_000,
      stepTimeoutMs: 5_000,
      clock: systemClock,
      coordinator,
      groupCoordinator: () => coordinator,
      needed: { retain: () => undefined, release: () => undefined },
      warn: () => undefined,
    })
    const sends = {
      takeOut: (cause: KafkaProducerError) => void this.takenOut.push(cause),
      isDrained: () => true,
      drained: async () => void this.asked.push('drained'),
    }
    this.manager = new TransactionManager(requests, sends, systemClock)
  }

  /** The manager, with a transaction open. */
  async begun(): Promise<TransactionManager> {
    await this.manager.begin(new AbortController().signal)
    this.asked.length = 0
    return this.manager
  }

  private coordination(): Coordination {
    return {
      clusterId: null,
      lastFailure: undefined,
      stage: undefined,
      settled: async () => undefined,
      versions: async () => {
        const features = new Map([['transaction.version', this.script.transactionVersion ?? 0]])
        const ranges = new Map([[txnOffsetCommit.key, { minVersion: 0, maxVersion: txnOffsetCommit.maxVersion }]])
        return new ServedVersions(ranges, 'a test', features)
      },
      ask: async <Request, Answer>({ api, cap, request, errorOf, onWritten }: Question<Request, Answer>) => {
        const version = api.name === 'InitProducerId' ? Math.min(cap, this.script.initVersion ?? cap) : cap
        this.versions[api.name] = version
        const asked = request(version) as Record<string, unknown>
        if (this.script.unanswered?.includes(api.name) === true) onWritten?.()
        onWritten?.()
        this.asked.push(told(api.name, asked))
        await this.script.onAsked?.(told(api.name, asked))
        const next = this.script.answers?.[api.name]?.shift() ?? 0
        if (typeof next !== 'number') throw next
        const answer = this.answer(api.name, next, asked, version) as Answer
        errorOf(answer)
        return answer as never
      },
    }
  }

  private answer(api: string, errorCode: number, asked: Record<string, unknown>, version: number): unknown {
    const throttleTimeMs = 0
    if (api === 'AddPartitionsToTxn') return { throttleTimeMs, resultsByTransaction: [added(asked, errorCode)] }
    if (api === 'TxnOffsetCommit') return { throttleTimeMs, topics: committed(asked, errorCode) }
    if (errorCode !== 0) return { throttleTimeMs, errorCode, producerId: -1n, producerEpoch: -1 }
    if (api === 'InitProducerId') {
      if (asked['producerId'] !== -1n || this.epoch > 0) this.epoch++
      return { throttleTimeMs, errorCode, producerId: this.producerId, producerEpoch: this.epoch }
    }
    if (api === 'EndTxn' && version >= 5)
      return { throttleTimeMs, errorCode, producerId: this.producerId, producerEpoch: ++this.epoch }
    return { throttleTimeMs, errorCode, producerId: -1n, producerEpoch: -1 }
  }
}

type Topics = { name: string; partitions: unknown[] }[]

function added(asked: Record<string, unknown>, code: number) {
  const [transaction] = asked['transactions'] as { topics: Topics }[]
  return {
    topicResults: (transaction?.topics ?? []).map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode: code })),
    })),
  }
}

function committed(asked: Record<string, unknown>, errorCode: number) {
  return (asked['topics'] as Topics).map(({ name, partitions }) => ({
    name,
    partitions: (partitions as { partitionIndex: number }[]).map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode,
    })),
  }))
}

interface Claim {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly committed?: boolean
  readonly groupId?: string
  readonly topics?: Topics
}

function told(api: string, asked: Record<string, unknown>): Asked {
  const [transaction] = (asked['transactions'] as Claim[] | undefined) ?? [asked as unknown as Claim]
  const { producerId, producerEpoch, committed, groupId, topics = [] } = transaction as Claim
  const words = [api]
  if (committed !== undefined) words.push(committed ? 'commit' : 'abort')
  if (groupId !== undefined) words.push(groupId)
  if (api === 'AddPartitionsToTxn')
    for (const { name, partitions } of topics)
      for (const partition of partitions) words.push(`${name}-${String(partition)}`)
  return [...words, `${producerId}/${producerEpoch}`].join(' ')
}
