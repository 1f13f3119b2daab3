import { Deadline } from '../clock.js'
import { ProducerClosedError, type KafkaProducerError } from '../errors.js'
import type { Admission } from './calls/admission.js'
import type { CallSerializer } from './calls/call-serializer.js'
import type { EncoderLine } from './calls/encoder-line.js'
import type { ListCall } from './calls/list-call.js'
import { topicsOf, type ListIntake } from './calls/list-intake.js'
import type { MessageCall } from './calls/message-call.js'
import type { OutstandingCalls } from './calls/outstanding-calls.js'
import { QueueCall } from './calls/queue-call.js'
import { SendCall } from './calls/send-call.js'
import { SharedCall } from './calls/shared-call.js'
import { signalOfSend } from './calls/signal-listeners.js'
import { SingleCall } from './calls/single-call.js'
import type { DeliveryReporter } from './delivery-report.js'
import { PatientOptions, type EventHandler, type SendOptions } from './event-handler.js'
import type { Replacement } from './interceptors.js'
import { isList, type Given, type KeyedMessage } from './messages/keyed-message.js'
import { PathParts, type EventHandlerConfig, type EventHandlerParts, type EventHandlerShared } from './path-parts.js'
import { abortedBy } from './queues/abortion.js'
import { OutgoingMessage } from './queues/outgoing-message.js'
import { SendClock, type SendMoment } from './queues/send-clock.js'
import type { RecordMetadata } from './record-metadata.js'

/** What `send()` answers where all is queued at once. */
const QUEUED = Promise.resolve()

/** How long sockets may take to close after all is settled. */
const SOCKET_GRACE_MS = 1_000

/**
 * The path of a message, from `send()` to its fate (Kafka 0.8's DefaultEventHandler):
 *
 *  1. {@link handle} makes a {@link SendCall} of the messages, which settles when all of them have their fate
 *     (async mode: {@link enqueue} and a {@link QueueCall}, which settles when they are queued, or a {@link SharedCall}
 *     where they are queued at once);
 *  2. {@link serialize} runs the encoders, all of a call before any of it goes on;
 *  3. {@link Admission} lets them in, in order, as far as there is room (async mode: into the send loop's queue, which
 *     releases them);
 *  4. {@link partitionAndCollate} chooses each message's partition and appends it to that partition's queue of batches;
 *  5. the leader's `BrokerSender` takes a batch of each of its partitions into a request;
 *  6. `Outcomes` settles each batch by its partition's answer, or puts it back at the head of its queue until
 *     `RetryPolicy` lets it go again.
 *
 * What each of these knows of the others is told where they are made: {@link PathParts}.
 */
export class DefaultEventHandler<K, V> implements EventHandler<K, V> {
  private readonly sendClock: SendClock
  private readonly path: PathParts<K, V>
  // Of the path, what each call goes through.
  private readonly serializer: CallSerializer<K, V>
  private readonly intake: ListIntake
  private readonly calls: OutstandingCalls
  private readonly line: EncoderLine
  private readonly admission: Admission
  /** The newest call of those that messages of async mode share. */
  private sharedCall: SharedCall | undefined
  private isClosed = false
  /** One function for all calls. */
  private readonly onDone = (call: MessageCall) => this.finished(call)

  constructor(
    private readonly parts: EventHandlerParts<K, V>,
    private readonly config: EventHandlerConfig,
    private readonly shared: EventHandlerShared,
  ) {
    this.sendClock = new SendClock(shared.surroundings.clock)
    this.path = new PathParts(parts, config, shared, () => this.isClosed)
    this.serializer = this.path.serializer
    this.intake = this.path.intake
    this.calls = this.path.calls
    this.line = this.path.line
    this.admission = this.path.admission
  }

  handle(given: Given<K, V>, options?: SendOptions, instead?: Replacement): Promise<RecordMetadata[]> {
    // Most sends are of one message and no more: a short way, which V8 makes one function with what calls it.
    return options === undefined && !isList(given)
      ? this.handleOne([given], false, this.sendClock.now(), instead, undefined)
      : this.handleListed(given, options, instead)
  }

  /** Lists, and whatever comes with options. */
  private handleListed(
    given: Given<K, V>,
    options: SendOptions | undefined,
    instead: Replacement | undefined,
  ): Promise<RecordMetadata[]> {
    const signal = signalOfSend(options)
    if (signal?.aborted) throw abortedBy(signal)
    const inList = isList(given)
    const messages = inList ? given : [given]
    if (messages.length === 0) return Promise.resolve([])
    const sentAt = this.sendClock.now()
    const stream = takenFromStream(options, instead?.messages ?? messages)
    if (messages.length === 1 && signal === undefined) return this.handleOne(messages, inList, sentAt, instead, stream)
    const call = new SendCall(messages, inList, sentAt, signal, this.onDone, instead, stream)
    this.intake.takeInAll(call)
    return call.promise
  }

  private handleOne(
    messages: readonly KeyedMessage<K, V>[],
    inList: boolean,
    sentAt: SendMoment,
    instead: Replacement | undefined,
    stream: PatientOptions | undefined,
  ): Promise<RecordMetadata[]> {
    const message = messages[0] as KeyedMessage<K, V>
    const place = inList ? (stream?.before ?? 0) : undefined
    const encoded = this.serializer.serializeOne((instead?.messages[0] ?? message) as KeyedMessage<K, V>, place)
    this.checkOpen()
    if (encoded instanceof OutgoingMessage) {
      const call = new SingleCall(message, inList, encoded, sentAt, this.onDone, stream !== undefined)
      this.calls.add(call)
      if (this.line.isEmpty && this.admission.takeRoomNow(encoded)) this.admission.admitNow(encoded)
      else this.line.pass([encoded])
      return call.promise
    }
    const call = new SendCall(messages, inList, sentAt, undefined, this.onDone, instead, stream)
    this.intake.takeIn(call, this.serializer.handOver(encoded, call))
    return call.promise
  }

  /**
   * Async mode: settles when the messages are queued or refused; their fates are reported.
   *
   * @throws as {@link handle}
   */
  enqueue(given: Given<K, V>, reporter: DeliveryReporter, options?: SendOptions, instead?: Replacement): Promise<void> {
    // As in handle().
    return options === undefined && !isList(given) && instead === undefined
      ? this.enqueueOne([given], false, reporter, this.sendClock.now(), undefined, undefined)
      : this.enqueueListed(given, reporter, options, instead)
  }

  private enqueueListed(
    given: Given<K, V>,
    reporter: DeliveryReporter,
    options: SendOptions | undefined,
    instead: Replacement | undefined,
  ): Promise<void> {
    const signal = signalOfSend(options)
    if (signal?.aborted) throw abortedBy(signal)
    const inList = isList(given)
    const messages = inList ? given : [given]
    if (messages.length === 0) return Promise.resolve()
    const sentAt = this.sendClock.now()
    const stream = takenFromStream(options, instead?.messages ?? messages)
    if (messages.length === 1 && signal === undefined && instead?.acknowledged === undefined)
      return this.enqueueOne(messages, inList, reporter, sentAt, instead, stream)
    const call = new QueueCall(messages, inList, sentAt, signal, this.onDone, reporter, instead, stream)
    this.intake.takeInAll(call)
    return call.queued()
  }

  /** Mostly one message is encoded and has room at once: then it needs no call of its own. */
  private enqueueOne(
    messages: readonly KeyedMessage<K, V>[],
    inList: boolean,
    reporter: DeliveryReporter,
    sentAt: SendMoment,
    instead: Replacement | undefined,
    stream: PatientOptions | undefined,
  ): Promise<void> {
    const message = messages[0] as KeyedMessage<K, V>
    const place = inList ? (stream?.before ?? 0) : undefined
    const encoded = this.serializer.serializeOne((instead?.messages[0] ?? message) as KeyedMessage<K, V>, place)
    this.checkOpen()
    if (encoded instanceof OutgoingMessage && this.line.isEmpty && this.admission.takeRoomNow(encoded)) {
      let call = this.sharedCall
      if (call?.isOpenAt(sentAt) !== true) {
        call = this.sharedCall = new SharedCall(sentAt, this.onDone, reporter)
        this.calls.add(call)
      }
      call.join(message, encoded)
      this.admission.admitNow(encoded)
      return QUEUED
    }
    const call = new QueueCall(messages, inList, sentAt, undefined, this.onDone, reporter, instead, stream)
    this.intake.takeIn(call, this.serializer.handOver(encoded, call))
    return call.queued()
  }

  private checkOpen(): void {
    if (this.isClosed) throw new ProducerClosedError()
  }

  /** Checks and encodes all messages of a call: see {@link CallSerializer}. */
  serialize(messages: readonly KeyedMessage<K, V>[], call: ListCall): OutgoingMessage[] | Promise<OutgoingMessage[]> {
    return this.serializer.serialize(messages, call)
  }

  /** Appends messages to their partitions' queues, or lets them wait for the metadata of their topic. */
  partitionAndCollate(messages: readonly OutgoingMessage[], from: number, to: number): void {
    this.path.topics.place(messages, from, to)
  }

  /** A message is to linger: it holds no more room than it comes to. */
  measure(message: OutgoingMessage): void {
    this.path.room.measure(message)
  }

  /** Whether messages wait for the metadata of a topic. */
  isWaitingFor(topic: string): boolean {
    return this.path.topics.get(topic)?.needsMetadata === true
  }

  /** Fails what is not written yet with this cause; what is under way goes on to its true fate. */
  takeOut(cause: KafkaProducerError): void {
    this.path.earlyEnds.takeOut(this.calls.all(), cause)
    this.path.senders.wake()
  }

  /** Resolves when nothing is held any more. */
  drained(): Promise<void> {
    return this.path.room.emptied()
  }

  private finished(call: MessageCall): void {
    this.calls.done(call)
    if (this.config.metadataRefreshIntervalMs === 0) {
      this.parts.topicPartitionInfos.refresh({ isDue: true }).catch(() => undefined)
    }
  }

  /** Messages and bytes waiting or in flight now. */
  get held(): { readonly messages: number; readonly bytes: number } {
    return this.path.room
  }

  /** Whether messages wait to be taken in where the last ones of this stream went, so that it had better hold back. */
  hasLineFor({ sent }: PatientOptions): boolean {
    const { admission } = this
    return admission.hasLine || (admission.hasAside && [...topicsOf(sent)].some((topic) => admission.isAside(topic)))
  }

  /** Calls back in the next turn, and says so, where messages wait for that and not for room. */
  awaitTurn(goOn: () => void): boolean {
    if (!this.admission.waitsForTurn) return false
    this.shared.turn.inNextTurn(goOn)
    return true
  }

  /** Resolves when every call made so far has its fate. */
  settledSoFar(): Promise<void> {
    // What comes later is no concern of who waits now.
    this.sharedCall = undefined
    return this.calls.settledSoFar()
  }

  /** @param withinMs what its caller was told to wait, of which `timeoutMs` are left */
  async close(
    timeoutMs: number,
    last?: (timeLeftMs: number) => Promise<void>,
    withinMs = timeoutMs,
  ): Promise<KeyedMessage<K, V>[]> {
    this.isClosed = true
    const { earlyEnds, longWaits, policy, senders } = this.path
    const { clock } = this.shared.surroundings
    const endsAt = clock.now() + timeoutMs
    let deadline: Deadline | undefined
    const late = new Promise<void>((resolve) => (deadline = new Deadline(clock, timeoutMs, resolve)))
    await Promise.race([this.settledSoFar(), late])
    deadline?.cancel()
    const cause = new ProducerClosedError(`the producer was closed, and did not wait longer than ${withinMs} ms`)
    this.admission.close()
    senders.stop()
    const unsent = await earlyEnds.close<KeyedMessage<K, V>>(this.calls.all(), cause)
    // Not before: what is called off would fail messages that have not been given back yet.
    policy.close()
    this.parts.topicPartitionInfos.close()
    await this.settledSoFar()
    this.calls.close()
    longWaits.close()
    senders.close()
    await last?.(endsAt - clock.now())
    await this.parts.producerPool.close(SOCKET_GRACE_MS)
    return unsent
  }
}

/** The options of the stream that gives these messages, and waits for room as long as it takes; undefined where none does. */
function takenFromStream(options: SendOptions | undefined, sent: readonly KeyedMessage[]): PatientOptions | undefined {
  if (!(options instanceof PatientOptions)) return undefined
  options.noteSent(sent)
  return options
}
