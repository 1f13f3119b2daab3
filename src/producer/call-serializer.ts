import { KafkaProducerError, SerializationError } from '../errors.js'
import type { StatsCounters } from '../stats/producer-stats.js'
import { checkMessage, type KeyedMessage } from './keyed-message.js'
import type { MessageCall } from './message-call.js'
import { SerializedMessage } from './serialized-message.js'
import { handled, type Serializer } from './serializer.js'

/** Messages encoded in one go before the event loop gets its turn. */
const SLICE = 2_000

/** A message, or the promise of one, or of nothing where its encoder failed and the others go on. */
type MaybeSerialized = SerializedMessage | Promise<SerializedMessage | undefined>

/** Runs the encoders over the messages of a call: all of it before any of it goes on. */
export class CallSerializer<K, V> {
  private readonly validTopics = new Set<string>()

  constructor(
    private readonly serializer: Serializer<K, V>,
    private readonly counters: StatsCounters,
  ) {}

  /**
   * Checks and encodes all messages of a call. The promise is there only where an encoder gave one, or for a long list,
   * which is worked through in slices.
   *
   * @throws InvalidMessageError and, where the call does not skip such messages, SerializationError
   */
  serialize(messages: readonly KeyedMessage<K, V>[], call: MessageCall): SerializedMessage[] | Promise<SerializedMessage[]> {
    if (messages.length > SLICE) return this.serializeInSlices(messages, call)
    const encoded: MaybeSerialized[] = []
    const isReady = this.encodeSlice(messages, 0, messages.length, call, Date.now(), encoded)
    return isReady ? (encoded as SerializedMessage[]) : withoutSkipped(encoded)
  }

  private async serializeInSlices(messages: readonly KeyedMessage<K, V>[], call: MessageCall): Promise<SerializedMessage[]> {
    const now = Date.now()
    const all: MaybeSerialized[] = []
    for (let from = 0; from < messages.length && !call.isDone; from += SLICE) {
      this.encodeSlice(messages, from, Math.min(from + SLICE, messages.length), call, now, all)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return withoutSkipped(all)
  }

  /** Encodes some messages onto the end of `encoded`; false where one of them is a promise. */
  private encodeSlice(
    messages: readonly KeyedMessage<K, V>[],
    from: number,
    to: number,
    call: MessageCall,
    now: number,
    encoded: MaybeSerialized[],
  ): boolean {
    let isReady = true
    for (let i = from; i < to; i++) checkMessage(messages[i] as KeyedMessage, this.validTopics)
    for (let i = from; i < to; i++) {
      try {
        const one = this.serializer.serialize(messages[i] as KeyedMessage<K, V>, i, call, now)
        if (one instanceof SerializedMessage) {
          encoded.push(one)
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
  private pending(one: Promise<SerializedMessage>, call: MessageCall, index: number): Promise<SerializedMessage | undefined> {
    return handled(one.catch((error: unknown) => this.skip(call, index, error)))
  }

  /** Leaves a message out that can't be encoded, and tells so; or ends the call, where it is all or nothing. */
  private skip(call: MessageCall, index: number, error: unknown): undefined {
    if (error instanceof SerializationError) this.counters.serializationErrors++
    if (!call.skipsUnserializable || !(error instanceof KafkaProducerError)) throw error
    this.counters.failed++
    call.failUnserialized(index, error)
  }

  /** What a call with a promise is left with once its encoders are done, or it has ended before them. Never rejects. */
  async whenReady(call: MessageCall, pending: Promise<SerializedMessage[]>): Promise<readonly SerializedMessage[]> {
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
      call.serialized = call.isDone ? [] : serialized
      return call.serialized
    } catch (error) {
      call.failWhole(error as KafkaProducerError)
      return []
    }
  }
}

async function withoutSkipped(encoded: readonly MaybeSerialized[]): Promise<SerializedMessage[]> {
  const all = await Promise.all(encoded.map(async (message) => message))
  return all.filter((message) => message !== undefined)
}
