import { SerializationError, type KafkaProducerError } from '../../errors.js'
import type { StatsCounters } from '../../stats/producer-stats.js'
import type { TurnBudget } from '../../turn-budget.js'
import { atPlace, FieldNames, type KeyedMessage } from '../messages/keyed-message.js'
import { OutgoingMessage } from '../queues/outgoing-message.js'
import type { ListCall } from './list-call.js'
import { handled, type Serializer } from './serializer.js'

/** Lists up to this length are encoded in one go. */
const ONE_GO = 1_000
/** In longer ones the clock is read once for so many messages: an encoder may take its time. */
const SLICE = 64

/** A message, or the promise of one, or of nothing where its encoder failed and the others go on. */
type MaybeSerialized = OutgoingMessage | Promise<OutgoingMessage | undefined>

/** Checks the messages of a call and runs the encoders over them: all of it before any of it goes on. */
export class CallSerializer<K, V> {
  /**
   * Looked at when a message is known to be one, since of bytes each is a field; and not where fields are read: with it V8
   * would leave parts of that apart, at 4 % of the time.
   */
  private readonly fieldNames = new FieldNames()

  constructor(
    private readonly serializer: Serializer<K, V>,
    private readonly turn: TurnBudget,
    private readonly counters: StatsCounters,
  ) {}

  /**
   * Checks and encodes all messages of a call. The promise is there only where an encoder gave one, or for a long list,
   * which is worked through in slices; not where bytes are to be copied, which is done when `send()` returns.
   *
   * What an encoder fails on is noted with the call, where that goes on without it.
   *
   * @throws InvalidMessageError and, where the call does not go on without such messages, SerializationError
   */
  serialize(messages: readonly KeyedMessage<K, V>[], call: ListCall): OutgoingMessage[] | Promise<OutgoingMessage[]> {
    if (messages.length > ONE_GO && !this.serializer.copyBytes) return this.serializeInSlices(messages, call)
    const encoded: MaybeSerialized[] = []
    const isReady = this.encodeSlice(messages, 0, messages.length, call, encoded)
    return isReady ? (encoded as OutgoingMessage[]) : this.withoutSkipped(encoded)
  }

  /**
   * Checks and encodes a message that belongs to no call yet. Where its encoder throws, the promise rejects, and counts as
   * handled: nobody looks at it where the encoder has closed the producer, too.
   *
   * @param place its place where it was given as the only one of a list
   * @throws InvalidMessageError
   */
  serializeOne(message: KeyedMessage<K, V>, place: number | undefined): OutgoingMessage | Promise<OutgoingMessage> {
    try {
      const one = this.serializer.serialize(message)
      this.fieldNames.check(message)
      return one
    } catch (error) {
      if (error instanceof SerializationError) return handled(Promise.reject(error))
      throw place === undefined ? error : atPlace(place, error)
    }
  }

  /** Makes it the only message of a call. */
  handOver(
    message: OutgoingMessage | Promise<OutgoingMessage>,
    call: ListCall,
  ): OutgoingMessage[] | Promise<OutgoingMessage[]> {
    if (message instanceof OutgoingMessage) return [call.own(message, 0)]
    return this.withoutSkipped([this.pending(message, call, 0)])
  }

  private async serializeInSlices(messages: readonly KeyedMessage<K, V>[], call: ListCall): Promise<OutgoingMessage[]> {
    const all: MaybeSerialized[] = []
    let isReady = true
    for (let from = 0; from < messages.length && !call.isDone; from += SLICE) {
      if (!this.encodeSlice(messages, from, Math.min(from + SLICE, messages.length), call, all)) isReady = false
      if (this.turn.isSpent) await this.turn.nextTurn()
    }
    return isReady ? (all as OutgoingMessage[]) : this.withoutSkipped(all)
  }

  /** Encodes some messages onto the end of `encoded`; false where one of them is a promise. */
  private encodeSlice(
    messages: readonly KeyedMessage<K, V>[],
    from: number,
    to: number,
    call: ListCall,
    encoded: MaybeSerialized[],
  ): boolean {
    let isReady = true
    for (let i = from; i < to; i++) {
      try {
        const message = messages[i] as KeyedMessage<K, V>
        const one = this.serializer.serialize(message)
        this.fieldNames.check(message)
        if (one instanceof OutgoingMessage) {
          encoded.push(call.own(one, i))
        } else {
          isReady = false
          encoded.push(this.pending(one, call, i))
        }
      } catch (error) {
        this.skip(call, i, error)
      }
    }
    return isReady
  }

  /** Apart, so that the loop above makes no closure where nothing is awaited. */
  private pending(one: Promise<OutgoingMessage>, call: ListCall, index: number): Promise<OutgoingMessage | undefined> {
    return one.then(
      (message) => call.own(message, index),
      (error: unknown) => {
        try {
          this.skip(call, index, error)
        } catch (cause) {
          // Whatever the encoders of the others do.
          call.failWhole(cause as KafkaProducerError)
        }
        return undefined
      },
    )
  }

  /**
   * Leaves out a message that can't be encoded; it is told so when the others are encoded.
   *
   * @throws where the call does not go on without it
   */
  private skip(call: ListCall, index: number, error: unknown): undefined {
    // Its deadline, its signal or a close has told all its messages.
    if (call.isDone) return
    const located = call.inList ? atPlace(call.firstPlace + index, error) : error
    if (!(located instanceof SerializationError)) throw located
    this.counters.serializationErrors++
    if (!call.skipsUnserializable) throw located
    call.noteFailure(index, located)
  }

  /** One after the other, without another promise for each: there may be hundreds of thousands. */
  private async withoutSkipped(encoded: readonly MaybeSerialized[]): Promise<OutgoingMessage[]> {
    const all: OutgoingMessage[] = []
    for (let i = 0; i < encoded.length; i++) {
      const one = encoded[i]
      const message = one instanceof OutgoingMessage ? one : await one
      if (message !== undefined) all.push(message)
      if (i % SLICE === SLICE - 1 && this.turn.isSpent) await this.turn.nextTurn()
    }
    return all
  }

  /** What a call with a promise is left with once its encoders are done, or it has ended before them. Never rejects. */
  async whenReady(call: ListCall, pending: Promise<OutgoingMessage[]>): Promise<readonly OutgoingMessage[]> {
    // The deadline, the caller's signal or a close may end the call meanwhile: nobody waits for its encoder then.
    const ended = new Promise<never[]>((resolve) => {
      const { onEnd } = call
      call.onEnd = () => {
        onEnd?.()
        resolve([])
      }
    })
    try {
      const serialized = await Promise.race([pending, ended])
      return call.isDone ? [] : serialized
    } catch (error) {
      call.failWhole(error as KafkaProducerError)
      return []
    }
  }
}
