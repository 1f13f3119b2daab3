import { DeliveryError, type KafkaProducerError } from '../../errors.js'
import type { Replacement } from '../interceptors.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import type { Fate } from '../queues/outgoing-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { RecordMetadata } from '../record-metadata.js'
import { failureOf } from './failure-of.js'
import { ListCall, type GivingStream } from './list-call.js'
import type { MessageCall } from './message-call.js'
import { rejectWithCaller, type Settling } from './reject-with-caller.js'

/** A `send()` in sync mode: its promise settles once, when the last of its messages has its fate. */
export class SendCall extends ListCall {
  /** Nothing of a call is sent where one of its messages can't be encoded. */
  readonly skipsUnserializable = false
  readonly promise: Promise<RecordMetadata[]>
  private settling!: Settling<RecordMetadata[]>
  private readonly results: Fate[]
  private hasFailures = false

  constructor(
    messages: readonly KeyedMessage[],
    inList: boolean,
    sentAt: SendMoment,
    signal: AbortSignal | undefined,
    onDone: (call: MessageCall) => void,
    instead?: Replacement,
    stream?: GivingStream,
  ) {
    super(messages, inList, sentAt, signal, onDone, instead, stream)
    this.results = new Array<Fate>(messages.length)
    this.promise = new Promise((resolve, reject) => (this.settling = { resolve, reject }))
  }

  admitted(): void {
    // The promise is about the fate alone.
  }

  failWhole(error: KafkaProducerError): void {
    if (this.hasBegunToEnd) return
    this.end()
    rejectWithCaller(this.settling, error)
  }

  protected put(index: number, fate: Fate): void {
    if (fate instanceof DeliveryError) this.hasFailures = true
    this.results[index] = fate
    if (this.countTold()) this.finish()
  }

  /** Every message has its fate. */
  private finish(): void {
    if (this.hasFailures) rejectWithCaller(this.settling, failureOf(this.results, this.messages, this.inList))
    else this.settling.resolve(this.results as RecordMetadata[])
  }
}
