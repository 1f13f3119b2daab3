import { finished, pipeline } from 'node:stream/promises'
import { InvalidMessageError, KafkaProducerError, ProducerClosedError } from '../../errors.js'
import { kindOf } from '../../wording/kind-of.js'
import { SignalListeners } from '../calls/signal-listeners.js'
import { abortedBy } from '../queues/abortion.js'
import type { MessageWritable, WritableMessage } from './message-writable.js'

type Source<K, V> = AsyncIterable<WritableMessage<K, V>> | Iterable<WritableMessage<K, V>>

/**
 * What iterables yield, sent by way of a stream. Each ends with its stream, and not only when the iterable has come back: that
 * may wait for its next message for ever.
 */
export class IterableSends {
  private readonly signals = new SignalListeners<() => void>((those) => {
    for (const end of those) end()
  })
  private readonly streams = new Set<{ destroy(error: Error): unknown }>()

  /** @throws what the iterable or `send()` threw; AbortedError, ProducerClosedError, InvalidMessageError */
  async send<K, V>(
    messages: Source<K, V>,
    stream: MessageWritable<K, V>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    checkIterable(messages)
    if (signal?.aborted === true) throw abortedBy(signal)
    let thrown: { readonly cause: unknown } | undefined
    // A pipeline takes undefined, 0 and '' for no error, whoever throws them.
    async function* source(): AsyncGenerator<WritableMessage<K, V>> {
      let isAtWork = true
      let given = 0
      try {
        for await (const message of messages) {
          isAtWork = false
          // To a stream null is its end: it refuses it by itself, and can't say which it was.
          if ((message as unknown) === null) {
            stream.destroy(nullAt(given))
            return
          }
          given++
          yield message
          isAtWork = true
        }
      } catch (cause) {
        // What it throws when it is closed early is not why it was.
        if (isAtWork) thrown ??= { cause }
        throw cause instanceof Error ? cause : new Error('the iterable threw what is no error')
      }
    }
    const forget = signal === undefined ? undefined : this.signals.add(signal, () => stream.destroy(abortedBy(signal)))
    this.streams.add(stream)
    try {
      const written = finished(stream)
      pipeline(source, stream).catch(() => undefined)
      await written
    } catch (error) {
      if (thrown !== undefined) throw thrown.cause
      // Not the depths of the stream, but who called.
      if (error instanceof KafkaProducerError) Error.captureStackTrace(error)
      throw error
    } finally {
      this.streams.delete(stream)
      forget?.()
    }
  }

  /** The producer is closed: those that wait for their next message end, too. */
  close(): void {
    for (const stream of this.streams) stream.destroy(new ProducerClosedError())
  }
}

function nullAt(place: number): InvalidMessageError {
  return new InvalidMessageError(`messages[${place}]: a message must be an object, given was null`)
}

function isIterable(messages: unknown): boolean {
  if (typeof messages !== 'object' || messages === null) return false
  try {
    return Symbol.asyncIterator in messages || Symbol.iterator in messages
  } catch {
    // A proxy that does not tell: nothing could be had of it.
    return false
  }
}

/** A string could be iterated over, too, and is no list of messages. */
function checkIterable(messages: unknown): void {
  if (isIterable(messages)) return
  throw new InvalidMessageError(
    `messages: given was ${kindOf(messages)}, allowed is an iterable of messages, such as a list or an async generator`,
  )
}
