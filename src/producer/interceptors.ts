import { FailedToSendMessageError, InvalidMessageError, NotQueuedError, type KafkaProducerError } from '../errors.js'
import { isPromise } from '../is-promise.js'
import type { TurnBudget } from '../turn-budget.js'
import { handled } from './calls/serializer.js'
import type { RawData } from './encoder.js'
import { copyOf } from './messages/data.js'
import type { KeyedMessage } from './messages/keyed-message.js'
import { headerPairs, withLastingHeaders, type HeaderPair } from './messages/message-headers.js'
import type { Warnings } from './observing/kafka-producer-warning.js'
import { tellUser } from './observing/tell-user.js'
import type { Fate } from './queues/outgoing-message.js'
import type { RecordMetadata } from './record-metadata.js'

/**
 * Sees each message on its way in, where it may put another in its place, and how it ended (Java's ProducerInterceptor).
 *
 * What one of its methods throws is counted in `stats().throwingCallbacks`, told once as a warning, and harms nothing: the
 * message goes on as the interceptors before left it.
 */
export interface ProducerInterceptor<K = RawData, V = RawData> {
  /**
   * Called within `send()`, before the message is looked at, encoded or given a partition. What it gives is sent in place of
   * the message, to another topic even; nothing: the message goes on as it is. The message itself is not to be changed. It
   * is not waited for: a promise is refused, as is whatever else is no message.
   */
  onSend?: Methods<K, V>['onSend'] | undefined
  /**
   * Called once for each message, when it has its fate or was refused: with metadata, or with an error. In sync mode that
   * is when the promise of its `send()` is about to settle, in async mode just before `onDelivery`.
   *
   * @param headers the message's, as the interceptors left them in `onSend` (KIP-512)
   */
  onAcknowledgement?: Methods<K, V>['onAcknowledgement'] | undefined
}

/** As methods, whose parameters TypeScript compares less strictly: an interceptor of any messages is one of certain ones. */
interface Methods<K, V> {
  onSend(message: KeyedMessage<K, V>): KeyedMessage<K, V> | undefined | void
  onAcknowledgement(
    metadata: RecordMetadata | undefined,
    error: KafkaProducerError | undefined,
    headers: readonly HeaderPair[],
  ): void
}

/** What is sent in place of the messages of a call, by whoever put it there. */
export interface Replacement {
  readonly messages: readonly KeyedMessage[]
  /** Told, in async mode, of each message that was taken in how it ended; undefined: nobody asks. */
  readonly acknowledged?: ((index: number, fate: Fate | KafkaProducerError) => void) | undefined
}

/** Fates told at a stretch, before it is asked whether it is others' turn. */
const RUN = 16

/** Calls that came before somebody began to wait, and are not told to the end yet. */
interface Untold {
  calls: number
  onTold: (() => void) | undefined
}

/** The interceptors of a producer, in their order; the one place where they are called. */
export class Interceptors {
  private untold: Untold = { calls: 0, onTold: undefined }
  /** Resolves when all is told of the calls before those. */
  private earlier: Promise<void> = Promise.resolve()
  /** Whether any of them wants to be told how messages end. */
  readonly listen: boolean

  constructor(
    private readonly chain: readonly ProducerInterceptor<unknown, unknown>[],
    private readonly warnings: Warnings,
    private readonly turn: TurnBudget,
    /** Whether callers may change the bytes that they gave at once. */
    readonly copyBytes = false,
  ) {
    this.listen = chain.some((one) => one.onAcknowledgement !== undefined)
  }

  /**
   * Sends what the interceptors make of a call's messages, and tells them how those ended that the call's promise tells of:
   * in sync mode all, in async mode those that were not taken in.
   *
   * @param traced what subscribers of the channel `:send` have put in their place before
   */
  send<R extends RecordMetadata[] | void>(
    given: readonly KeyedMessage[],
    traced: Replacement | undefined,
    send: (instead: Replacement | undefined) => Promise<R>,
  ): Promise<R> {
    const messages = traced?.messages ?? given
    const intercepted = this.intercept(messages)
    // Where they left all as it was, and want to hear nothing of it, it goes as if there were none.
    if (!this.listen && intercepted === messages) return send(traced)
    const instead = new InterceptedMessages(intercepted, intercepted !== messages, this, traced?.acknowledged)
    return this.follow(instead, send(instead))
  }

  /** The messages as the interceptors leave them; the list itself where it holds the same ones. */
  private intercept(messages: readonly KeyedMessage[]): readonly KeyedMessage[] {
    let changed: KeyedMessage[] | undefined
    for (let index = 0; index < messages.length; index++) {
      const message = messages[index] as KeyedMessage
      const intercepted = this.onSend(message)
      if (intercepted === message) continue
      changed ??= messages.slice()
      changed[index] = intercepted
    }
    return changed ?? messages
  }

  private async follow<R extends RecordMetadata[] | void>(
    intercepted: InterceptedMessages,
    sent: Promise<R>,
  ): Promise<R> {
    const { untold } = this
    untold.calls++
    try {
      const result = await sent
      if (Array.isArray(result) && this.listen) {
        const fates: readonly RecordMetadata[] = result
        await this.tellAll(intercepted, (index) => fates[index])
      }
      return result
    } catch (cause) {
      const error = intercepted.blamed(cause)
      await this.tellAll(intercepted, fatesIn(error))
      throw error
    } finally {
      if (--untold.calls === 0) untold.onTold?.()
    }
  }

  /** Resolves when the interceptors were told how the messages of all calls so far ended that their promises tell of. */
  toldSoFar(): Promise<void> {
    const { untold } = this
    if (untold.calls > 0) {
      this.untold = { calls: 0, onTold: undefined }
      const told = new Promise<void>((resolve) => (untold.onTold = resolve))
      // Not the list of what they give, which would hold that of those before, and so on.
      this.earlier = Promise.all([this.earlier, told]).then(() => undefined)
    }
    return this.earlier
  }

  private async tellAll(
    { messages, tell }: InterceptedMessages,
    fateOf: (index: number) => Fate | KafkaProducerError | undefined,
  ): Promise<void> {
    for (let index = 0; index < messages.length; index++) {
      const fate = fateOf(index)
      if (fate !== undefined) tell(index, fate)
      if (index % RUN === RUN - 1 && this.turn.isSpent) await this.turn.nextTurn()
    }
  }

  /** The message as the last of them leaves it. */
  private onSend(given: KeyedMessage): KeyedMessage {
    let message = withLastingHeaders(given)
    for (const interceptor of this.chain) {
      try {
        const other = interceptor.onSend?.(message)
        if (other === undefined || other === null || other === message) continue
        // It is no message, which who looks at it says.
        if (isPromise<unknown>(other)) void handled(Promise.resolve(other))
        message = withLastingHeaders(other)
      } catch (error) {
        this.warnings.threw("an interceptor's onSend", error)
      }
    }
    return message
  }

  onAcknowledgement(fate: RecordMetadata | KafkaProducerError, headers: readonly HeaderPair[]): void {
    const [metadata, error] = fate instanceof Error ? [undefined, fate] : [fate, undefined]
    for (const one of this.chain)
      tellUser(() => one.onAcknowledgement?.(metadata, error, headers), undefined, this.threw)
  }

  private readonly threw = (error: unknown): void => this.warnings.threw("an interceptor's onAcknowledgement", error)
}

/** The messages of one call as the interceptors left them, until these are told how each ended. */
export class InterceptedMessages implements Replacement {
  readonly acknowledged: Replacement['acknowledged']
  private readonly headers: readonly (readonly HeaderPair[])[]

  /** @param isReplaced whether any of them is another one than was given */
  constructor(
    readonly messages: readonly KeyedMessage[],
    private readonly isReplaced: boolean,
    private readonly interceptors: Interceptors,
    tracedEnd: Replacement['acknowledged'],
  ) {
    // Now, since they may be others by the time that they are asked for.
    this.headers = interceptors.listen ? messages.map((message) => headersOf(message, interceptors.copyBytes)) : []
    this.acknowledged = interceptors.listen
      ? (index, fate) => {
          this.tell(index, fate)
          tracedEnd?.(index, fate)
        }
      : tracedEnd
  }

  /** What the call failed with; where it may be for what an interceptor gave, it says so. */
  blamed(error: unknown): KafkaProducerError {
    if (!(error instanceof InvalidMessageError) || !this.isReplaced) return error as KafkaProducerError
    return new InvalidMessageError(`after the interceptors: ${error.message}`, { cause: error.cause })
  }

  readonly tell = (index: number, fate: Fate | KafkaProducerError): void => {
    const headers = this.headers[index]
    if (headers !== undefined) this.interceptors.onAcknowledgement(fate, headers)
  }
}

function headersOf(message: KeyedMessage, copyBytes: boolean): readonly HeaderPair[] {
  const pairs = headerPairs(message)
  try {
    return copyBytes ? pairs.map(([name, value]) => [name, copyOf(value)]) : pairs
  } catch {
    // Bytes that can't be read, for which the message is refused elsewhere.
    return []
  }
}

/** What an error that a call failed with says of each of its messages; undefined: nothing, it was taken in all the same. */
export function fatesIn(error: unknown): (index: number) => RecordMetadata | KafkaProducerError | undefined {
  if (error instanceof FailedToSendMessageError) {
    const { results } = error as FailedToSendMessageError<RecordMetadata>
    return (index) => results[index]
  }
  if (!(error instanceof NotQueuedError)) return () => error as KafkaProducerError
  const refused = new Set(error.refused)
  return (index) => (refused.has(index) ? error : undefined)
}
