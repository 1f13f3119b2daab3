import type { CheckedBatch } from './incoming-records.js'
import type { Release } from './releases.js'

/** What becomes of a batch with a sequence. */
export type SequenceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly appendTime: number }
  | { readonly kind: 'refused'; readonly errorName: SequenceErrorName; readonly message: string }

export type SequenceErrorName = 'OUT_OF_ORDER_SEQUENCE_NUMBER' | 'INVALID_PRODUCER_EPOCH' | 'UNKNOWN_PRODUCER_ID'

interface AppendedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly appendTime: number
}

interface ProducerState {
  epoch: number
  /** The newest last. */
  batches: AppendedBatch[]
}

const LARGEST_SEQUENCE = 0x7fffffff
const APPEND: SequenceVerdict = { kind: 'append' }

/** What a partition remembers of each idempotent producer, to find duplicates and gaps (KIP-98, KIP-360). */
export class ProducerStates {
  private readonly states = new Map<bigint, ProducerState>()

  /**
   * Decides about a batch that has a producer id.
   *
   * @param beginsAtZero whether the first that is heard of a producer must be its first batch, in all releases
   */
  check(batch: CheckedBatch, release: Release, beginsAtZero = false): SequenceVerdict {
    const { producerId, producerEpoch, baseSequence } = batch
    const state = this.states.get(producerId)
    if (state === undefined) {
      if (baseSequence === 0 || (release.unknownProducer === 'accepted' && !beginsAtZero)) return APPEND
      return notTheFirst(batch, release)
    }
    if (producerEpoch < state.epoch) {
      return refused(
        'INVALID_PRODUCER_EPOCH',
        `epoch ${producerEpoch} of producer ${producerId}, the last was ${state.epoch}`,
      )
    }
    if (producerEpoch > state.epoch) {
      if (baseSequence === 0) return APPEND
      return refused('OUT_OF_ORDER_SEQUENCE_NUMBER', `sequence ${baseSequence} begins epoch ${producerEpoch}`)
    }
    return this.checkSequence(state, batch, release)
  }

  private checkSequence(state: ProducerState, batch: CheckedBatch, release: Release): SequenceVerdict {
    const first = batch.baseSequence
    const last = lastSequence(batch)
    const known = state.batches.find((old) => old.firstSequence === first && old.lastSequence === last)
    if (known !== undefined) return { kind: 'duplicate', baseOffset: known.baseOffset, appendTime: known.appendTime }
    const newest = state.batches[state.batches.length - 1]
    if (newest === undefined) return first === 0 ? APPEND : notTheFirst(batch, release)
    if (first === following(newest.lastSequence)) return APPEND
    const message = `sequence ${first} of producer ${batch.producerId} after ${newest.lastSequence}`
    return refused('OUT_OF_ORDER_SEQUENCE_NUMBER', message)
  }

  /** Remembers a batch that was appended. */
  appended(batch: CheckedBatch, baseOffset: number, appendTime: number, release: Release): void {
    const { producerId, producerEpoch, baseSequence } = batch
    let state = this.states.get(producerId)
    if (state === undefined || state.epoch !== producerEpoch) {
      state = { epoch: producerEpoch, batches: [] }
      this.states.set(producerId, state)
    }
    const lastOffset = baseOffset + batch.count - 1
    const firstSequence = baseSequence
    state.batches.push({ firstSequence, lastSequence: lastSequence(batch), baseOffset, lastOffset, appendTime })
    while (state.batches.length > release.rememberedBatches) state.batches.shift()
  }

  /** A transaction was ended under this epoch, which may be new. */
  ended(producerId: bigint, producerEpoch: number): void {
    const state = this.states.get(producerId)
    if (state === undefined || state.epoch < producerEpoch)
      this.states.set(producerId, { epoch: producerEpoch, batches: [] })
  }

  /** The log begins here now. Before KIP-360 brokers forget with the records of a producer that there was one. */
  beginsAt(startOffset: number, { unknownProducer }: Release): void {
    if (unknownProducer === 'accepted') return
    for (const [producerId, { batches }] of this.states)
      if ((batches.at(-1)?.lastOffset ?? -1) < startOffset) this.states.delete(producerId)
  }

  /** The log ends here now: of a producer there is what is left in it. */
  endsAt(endOffset: number): void {
    for (const [producerId, state] of this.states) {
      state.batches = state.batches.filter(({ lastOffset }) => lastOffset < endOffset)
      if (state.batches.length === 0) this.states.delete(producerId)
    }
  }
}

function lastSequence(batch: CheckedBatch): number {
  return (batch.baseSequence + batch.count - 1) % (LARGEST_SEQUENCE + 1)
}

function following(sequence: number): number {
  return sequence === LARGEST_SEQUENCE ? 0 : sequence + 1
}

function notTheFirst({ producerId, baseSequence }: CheckedBatch, { unknownProducer }: Release): SequenceVerdict {
  const errorName = unknownProducer === 'accepted' ? 'OUT_OF_ORDER_SEQUENCE_NUMBER' : unknownProducer
  return refused(errorName, `first sequence ${baseSequence} of producer ${producerId}, of which there is none before`)
}

function refused(errorName: SequenceErrorName, message: string): SequenceVerdict {
  return { kind: 'refused', errorName, message }
}
