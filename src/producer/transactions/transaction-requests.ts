import { Deadline, type Clock } from '../../clock.js'
import { DeliveryTimeoutError, type KafkaProducerError } from '../../errors.js'
import { orAborted } from '../../network/or-aborted.js'
import { withReasons, type WaitedFor } from '../../network/stage.js'
import { addOffsetsToTxn } from '../../protocol/apis/add-offsets-to-txn.js'
import {
  addPartitionsToTxn,
  type AddPartitionsToTxnResponse,
  type AddPartitionsToTxnTopic,
} from '../../protocol/apis/add-partitions-to-txn.js'
import { endTxn, type EndTxnResponse } from '../../protocol/apis/end-txn.js'
import { initProducerId, type InitProducerIdResponse } from '../../protocol/apis/init-producer-id.js'
import { txnOffsetCommit, type TxnOffsetCommitResponse } from '../../protocol/apis/txn-offset-commit.js'
import { ErrorCodes, isKnownErrorCode } from '../../protocol/error-codes.js'
import type { Identity } from '../../protocol/records/record-batch.js'
import type { Coordination, Question } from './coordinator.js'
import { codesOf, decidingError, type PartitionCode } from './error-kinds.js'
import type { GroupOffsets } from './group-offsets.js'
import { CLAIMS_FROM, MAX_INIT_PRODUCER_ID } from './producer-identity.js'
import { ElsewhereError, isOther, type GivenIdentity } from './transactional-identity.js'
import { Unanswered } from './unanswered.js'

/** From this level of the feature on, writing adds to the transaction, and each has an epoch of its own (KIP-890). */
const TRANSACTION_VERSION = { name: 'transaction.version', partTwo: 2 }
/** The first versions that are part two of KIP-890. They come together, or not at all. */
export const PART_TWO = { produce: 12, txnOffsetCommit: 5, endTxn: 5 }
/** Later versions are the brokers' own. */
const MAX_ADD_PARTITIONS = 3

/** How often a request went out, and how often it was answered so that nothing more can come of it. */
export interface Tries {
  written: number
  answered: number
}

/**
 * Answers to EndTxn after which it may be carried out all the same: the coordinator could not write it to its log in time, or
 * lost that to another one meanwhile (Kafka's TransactionStateManager), which carries out what is there; or it failed at
 * nobody knows what.
 */
const MAY_HAVE_ENDED: ReadonlySet<number> = new Set([
  ErrorCodes.UNKNOWN_SERVER_ERROR,
  ErrorCodes.REQUEST_TIMED_OUT,
  ErrorCodes.COORDINATOR_NOT_AVAILABLE,
  ErrorCodes.NOT_COORDINATOR,
])

/** Of a code that is newer than this client nobody knows what it means. */
function mayHaveEnded(code: number): boolean {
  return MAY_HAVE_ENDED.has(code) || !isKnownErrorCode(code)
}

/** How long a step may take before it is told that something is wrong, and between one time that it is told and the next. */
const PATIENCE_MS = 2_000
const PAUSE_MS = 30_000

/** Where nobody knows why. */
const NOBODY: WaitedFor = { stage: undefined, lastFailure: undefined }

interface Within {
  /** Who knows why it takes so long. */
  readonly waitsFor?: WaitedFor
  /** Ends it before its time. */
  readonly calledOff?: AbortSignal | undefined
}

/** An answer to InitProducerId, and whether it went from the epoch that this producer had. */
export type InitAnswer = InitProducerIdResponse & { readonly canClaim: boolean }

export interface TransactionRequestsParts {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** How long each step may take, looking up and retrying included. */
  readonly stepTimeoutMs: number
  readonly clock: Clock
  readonly coordinator: Coordination
  readonly groupCoordinator: (groupId: string) => Coordination
  /** Told while an answer is waited for: connecting may keep the process alive. */
  readonly needed: { retain(): void; release(): void }
  /** Told that a step has taken seconds, and why. */
  readonly warn: (message: string, cause: KafkaProducerError | undefined) => void
}

/**
 * What a transactional producer asks of coordinators, each until there is an answer that counts: one whose error is none,
 * or final. Whatever it asks throws DeliveryTimeoutError where there was none in time, the signal's reason, or what can't
 * be asked.
 */
export class TransactionRequests {
  private open = new Unanswered()
  private toldAt = -Infinity

  constructor(private readonly parts: TransactionRequestsParts) {}

  /** Of what was asked under the epoch that {@link init} or {@link nextEpoch} told last. */
  get unanswered(): Pick<Unanswered, 'isAny' | 'groups'> {
    return this.open
  }

  /** The coordinator knows of a later epoch, and refuses what was asked under the one before. */
  nextEpoch(): void {
    this.open = new Unanswered()
  }

  /** Resolves when what was asked under this epoch has its answer, or can have none any more. */
  async settled(): Promise<void> {
    const { coordinator, groupCoordinator } = this.parts
    await Promise.all([coordinator, ...this.open.groups.map(groupCoordinator)].map((asked) => asked.settled()))
  }

  /** The cluster whose coordinator is asked; null where that is not known yet. */
  get clusterId(): string | null {
    return this.parts.coordinator.clusterId
  }

  get coordinator(): WaitedFor {
    return this.parts.coordinator
  }

  get transactionalId(): string {
    return this.parts.transactionalId
  }

  /** Whether the cluster has part two of KIP-890. */
  isPartTwo(signal: AbortSignal | undefined): Promise<boolean> {
    return this.step('FindCoordinator', this.parts.coordinator, signal, async (coordinator, its) => {
      const versions = await coordinator.versions(its)
      return versions.featureLevel(TRANSACTION_VERSION.name) >= TRANSACTION_VERSION.partTwo
    })
  }

  /** @param claim what this producer has in the cluster that is asked, if anything; below version 3 that can't be asked */
  async init(claim: () => Identity | undefined, signal: AbortSignal | undefined): Promise<InitAnswer> {
    const { transactionalId, transactionTimeoutMs, coordinator } = this.parts
    const flags = { enable2Pc: false, keepPreparedTxn: false }
    let canClaim = false
    const answer = await this.step('InitProducerId', coordinator, signal, (its, signal) =>
      its.ask(
        {
          api: initProducerId,
          cap: MAX_INIT_PRODUCER_ID,
          request: (version) => {
            canClaim = version >= CLAIMS_FROM
            const { producerId, epoch } = claim() ?? { producerId: -1n, epoch: -1 }
            return { transactionalId, transactionTimeoutMs, producerId, producerEpoch: epoch, ...flags }
          },
          errorOf: ({ errorCode }) => errorCode,
        },
        signal,
      ),
    )
    return { ...answer, canClaim }
  }

  /** Resolves with the error that decides about all. */
  async addPartitions(
    identity: GivenIdentity,
    topics: readonly AddPartitionsToTxnTopic[],
    signal: AbortSignal | undefined,
    onWritten: () => void,
  ): Promise<number> {
    const errorOf = (answer: AddPartitionsToTxnResponse) => errorOfPartitions(topics, answer)
    return errorOf(await this.askToAdd(identity, () => topics, errorOf, signal, onWritten))
  }

  /** The same, of those partitions that can be added: the others are gone, or nobody may write to them any more. */
  async addThoseThere(
    identity: GivenIdentity,
    topics: readonly AddPartitionsToTxnTopic[],
    signal: AbortSignal | undefined,
    onWritten: () => void,
  ): Promise<number> {
    let left = topics
    let code: number = ErrorCodes.NONE
    const errorOf = (answer: AddPartitionsToTxnResponse) => {
      code = errorOfPartitions(left, answer)
      const refused = refusedTopics(answer)
      const others = left.filter(({ name }) => !refused.has(name))
      if (others.length === left.length) return code
      left = others
      // All are added, or none.
      return (code = left.length === 0 ? ErrorCodes.NONE : ErrorCodes.CONCURRENT_TRANSACTIONS)
    }
    await this.askToAdd(identity, () => left, errorOf, signal, onWritten)
    return code
  }

  private askToAdd(
    identity: GivenIdentity,
    topics: () => readonly AddPartitionsToTxnTopic[],
    errorOf: (answer: AddPartitionsToTxnResponse) => number,
    signal: AbortSignal | undefined,
    onWritten: () => void,
  ): Promise<AddPartitionsToTxnResponse> {
    const question = this.counted({
      api: addPartitionsToTxn,
      cap: MAX_ADD_PARTITIONS,
      request: () => ({
        transactions: [{ ...this.claimOf(identity, this.parts.coordinator), verifyOnly: false, topics: topics() }],
      }),
      errorOf,
      onWritten,
    })
    return this.step('AddPartitionsToTxn', this.parts.coordinator, signal, (coordinator, its) =>
      coordinator.ask(question, its),
    )
  }

  async addOffsets(
    identity: GivenIdentity,
    groupId: string,
    signal: AbortSignal | undefined,
    onWritten: () => void,
  ): Promise<number> {
    const question = this.counted({
      api: addOffsetsToTxn,
      cap: addOffsetsToTxn.maxVersion,
      request: () => ({ ...this.claimOf(identity, this.parts.coordinator), groupId }),
      errorOf: ({ errorCode }) => errorCode,
      onWritten,
    })
    const answer = await this.step('AddOffsetsToTxn', this.parts.coordinator, signal, (coordinator, its) =>
      coordinator.ask(question, its),
    )
    return answer.errorCode
  }

  /** Whether a group's coordinator adds offsets to the transaction by itself. */
  addsOffsets(groupId: string, signal: AbortSignal | undefined): Promise<boolean> {
    return this.step('FindCoordinator', this.parts.groupCoordinator(groupId), signal, async (coordinator, its) => {
      const versions = await coordinator.versions(its)
      return versions.highest(txnOffsetCommit) >= PART_TWO.txnOffsetCommit
    })
  }

  /**
   * Resolves with the error that decides about what was not committed.
   *
   * @param addsOffsets whether that adds them to the transaction, too
   */
  async commitOffsets(
    identity: GivenIdentity,
    offsets: GroupOffsets,
    addsOffsets: boolean,
    signal: AbortSignal,
    onWritten: () => void,
  ): Promise<number> {
    let code: number = ErrorCodes.NONE
    const { groupId } = offsets.member
    const coordinator = this.parts.groupCoordinator(groupId)
    const question = this.counted(
      {
        api: txnOffsetCommit,
        cap: addsOffsets ? PART_TWO.txnOffsetCommit : PART_TWO.txnOffsetCommit - 1,
        request: () => ({ ...this.claimOf(identity, coordinator), ...offsets.member, topics: offsets.topics }),
        errorOf: (answer: TxnOffsetCommitResponse) => (code = offsets.settle(answer)),
        onWritten,
      },
      groupId,
    )
    await this.step('TxnOffsetCommit', coordinator, signal, (its, signal) => its.ask(question, signal))
    return code
  }

  end(
    identity: GivenIdentity,
    committed: boolean,
    isPartTwo: boolean,
    tries: Tries,
    signal?: AbortSignal,
  ): Promise<EndTxnResponse> {
    const question = this.counted({
      api: endTxn,
      cap: isPartTwo ? PART_TWO.endTxn : PART_TWO.endTxn - 1,
      request: () => ({ ...this.claimOf(identity, this.parts.coordinator), committed }),
      errorOf: ({ errorCode }) => {
        if (!mayHaveEnded(errorCode)) tries.answered++
        return errorCode
      },
      onWritten: () => tries.written++,
    })
    return this.step('EndTxn', this.parts.coordinator, signal, (coordinator, its) => coordinator.ask(question, its))
  }

  /** A question of which it is noted whether each time it was put was answered. */
  private counted<Request, Answer>(
    { errorOf, onWritten, ...question }: Question<Request, Answer>,
    groupId?: string,
  ): Question<Request, Answer> {
    const { open } = this
    return {
      ...question,
      errorOf: (answer) => {
        open.answered(groupId)
        return errorOf(answer)
      },
      onWritten: () => {
        open.written(groupId)
        onWritten?.()
      },
    }
  }

  /**
   * Another cluster may have given the same id and epoch to a producer of the same transactional id, and would answer as if it
   * were asked about that.
   *
   * @throws ElsewhereError
   */
  private claimOf({ producerId, epoch, clusterId }: GivenIdentity, { clusterId: asked }: Coordination) {
    if (isOther(clusterId, asked)) throw new ElsewhereError()
    return { transactionalId: this.transactionalId, producerId, producerEpoch: epoch }
  }

  /** Asks a coordinator something, which has so much time. */
  private step<T>(
    name: string,
    coordinator: Coordination,
    calledOff: AbortSignal | undefined,
    work: (coordinator: Coordination, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.within(name, (signal) => work(coordinator, signal), { waitsFor: coordinator, calledOff })
  }

  /** Does something that has so much time, and may be called off; the process stays alive for it. */
  async within<T>(
    name: string,
    work: (signal: AbortSignal) => Promise<T>,
    { waitsFor = NOBODY, calledOff }: Within = {},
  ): Promise<T> {
    const { clock, stepTimeoutMs, needed } = this.parts
    calledOff?.throwIfAborted()
    const ended = new AbortController()
    const deadline = new Deadline(clock, stepTimeoutMs, () => ended.abort(this.late(name, waitsFor)))
    // With the default of two minutes for a step, who mistyped an address would hear of nothing for so long.
    const looks = clock.setInterval(() => this.tellWait(name, waitsFor), PATIENCE_MS).unref()
    const onCalledOff = () => ended.abort(calledOff?.reason)
    // Not AbortSignal.any(): it leaves something behind in a signal that lives as long as the producer (Node 20 and 22).
    calledOff?.addEventListener('abort', onCalledOff, { once: true })
    needed.retain()
    try {
      return await orAborted(work(ended.signal), ended.signal)
    } finally {
      needed.release()
      deadline.cancel()
      clock.clearInterval(looks)
      calledOff?.removeEventListener('abort', onCalledOff)
    }
  }

  private late(name: string, waitsFor: WaitedFor): DeliveryTimeoutError {
    const { lastFailure: cause } = waitsFor
    return new DeliveryTimeoutError(
      withReasons(`${name} was not done within ${this.parts.stepTimeoutMs} ms`, waitsFor),
      cause === undefined ? {} : { cause },
    )
  }

  private tellWait(name: string, waitsFor: WaitedFor): void {
    const { stage, lastFailure } = waitsFor
    const now = this.parts.clock.now()
    if ((stage ?? lastFailure) === undefined || now - this.toldAt < PAUSE_MS) return
    this.toldAt = now
    const what = `${name} for the transactionalId '${this.transactionalId}' takes longer than ${PATIENCE_MS} ms, and goes on waiting`
    this.parts.warn(withReasons(what, waitsFor), lastFailure)
  }
}

function errorOfPartitions(
  asked: readonly AddPartitionsToTxnTopic[],
  { resultsByTransaction }: AddPartitionsToTxnResponse,
): number {
  const codeOf = codesOf(
    resultsByTransaction
      .flatMap(({ topicResults }) => topicResults)
      .flatMap(({ name, resultsByPartition }) =>
        resultsByPartition.map((one): PartitionCode => [name, one.partitionIndex, one.partitionErrorCode]),
      ),
  )
  // What an answer leaves out is asked for again.
  const missing = ErrorCodes.COORDINATOR_NOT_AVAILABLE
  return decidingError(
    asked.flatMap(({ name, partitions }) => partitions.map((partition) => codeOf(name, partition) ?? missing)),
  )
}

/** Topics with a partition that can't be added, whatever comes of the others. */
function refusedTopics({ resultsByTransaction }: AddPartitionsToTxnResponse): ReadonlySet<string> {
  const isRefused = (code: number) =>
    code === ErrorCodes.UNKNOWN_TOPIC_OR_PARTITION || code === ErrorCodes.TOPIC_AUTHORIZATION_FAILED
  const refused = resultsByTransaction
    .flatMap(({ topicResults }) => topicResults)
    .filter(({ resultsByPartition }) => resultsByPartition.some((one) => isRefused(one.partitionErrorCode)))
  return new Set(refused.map(({ name }) => name))
}
