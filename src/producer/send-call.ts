import { DeliveryError, FailedToSendMessageError, type KafkaProducerError } from '../errors.js'
import type { KeyedMessage } from './keyed-message.js'
import type { RecordMetadata } from './record-metadata.js'
import type { Fate, MessageOwner, SerializedMessage } from './serialized-message.js'

/** One `send()`: its messages, and the promise that settles once, when the last of them has its fate. */
export class SendCall implements MessageOwner {
  readonly promise: Promise<RecordMetadata[]>
  private resolve!: (results: RecordMetadata[]) => void
  private reject!: (error: KafkaProducerError) => void
  private readonly results: Fate[]
  private remaining: number
  private hasFailures = false
  /** Undefined while an encoder still works. */
  serialized: readonly SerializedMessage[] | undefined

  constructor(
    private readonly messages: readonly KeyedMessage[],
    /** On the clock of `performance.now()`. */
    readonly deadline: number,
    private readonly onDone: () => void,
  ) {
    this.results = new Array<Fate>(messages.length)
    this.remaining = messages.length
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  get isDone(): boolean {
    return this.remaining === 0
  }

  settled(message: SerializedMessage, fate: Fate): void {
    this.put(message.index, fate)
  }

  /** Ends the call before any of its messages went on. */
  failWhole(error: KafkaProducerError): void {
    if (this.isDone) return
    this.remaining = 0
    this.onDone()
    this.reject(error)
  }

  /** Fails every message while an encoder still works on them. */
  failUnserialized(cause: KafkaProducerError): void {
    for (const [index, { topic, partition }] of this.messages.entries()) {
      this.put(index, new DeliveryError(cause, { topic, partition, attempts: 0, mayHaveBeenWritten: false }))
    }
  }

  private put(index: number, fate: Fate): void {
    if (fate instanceof DeliveryError) this.hasFailures = true
    this.results[index] = fate
    if (--this.remaining > 0) return
    this.onDone()
    if (this.hasFailures) this.reject(new FailedToSendMessageError(this.results))
    else this.resolve(this.results as RecordMetadata[])
  }
}
