import { DeliveryError } from '../../errors.js'
import type { KeyedMessage } from '../messages/keyed-message.js'
import type { Batch } from '../queues/batch.js'
import type { Fate, OutgoingMessage } from '../queues/outgoing-message.js'
import type { SendMoment } from '../queues/send-clock.js'
import type { RecordMetadata } from '../record-metadata.js'
import { failureOf } from './failure-of.js'
import { MessageCall } from './message-call.js'
import { rejectWithCaller, type Settling } from './reject-with-caller.js'

type Resolve = Settling<[RecordMetadata]>['resolve']
type Reject = Settling<[RecordMetadata]>['reject']

/** One function for all promises: a closure for each would cost about as much as the promise itself. */
let resolveNewest: Resolve
let rejectNewest: Reject
const keepResolvers = (resolve: Resolve, reject: Reject): void => {
  resolveNewest = resolve
  rejectNewest = reject
}

/** A `send()` of one message in sync mode, encoded already: the same as any other, and cheaper by half. */
export class SingleCall extends MessageCall implements Settling<[RecordMetadata]> {
  readonly promise = new Promise<[RecordMetadata]>(keepResolvers)
  readonly resolve: Resolve = resolveNewest
  readonly reject: Reject = rejectNewest
  private at: OutgoingMessage | Batch

  constructor(
    private readonly message: KeyedMessage,
    private readonly inList: boolean,
    encoded: OutgoingMessage,
    sentAt: SendMoment,
    onDone: (call: MessageCall) => void,
    isPatient = false,
  ) {
    super(sentAt, undefined, onDone, 1, isPatient)
    encoded.owner = this
    this.at = encoded
  }

  get size(): number {
    return 1
  }

  isSettled(): boolean {
    return this.remaining === 0
  }

  whereabouts(): OutgoingMessage | Batch {
    return this.at
  }

  messageAt(): KeyedMessage {
    return this.message
  }

  admitted(): void {
    // The promise is about the fate alone.
  }

  placed(_index: number, batch: Batch): void {
    this.at = batch
  }

  settle(_index: number, fate: Fate): void {
    this.countTold()
    if (!(fate instanceof DeliveryError)) this.resolve([fate])
    else rejectWithCaller(this, failureOf([fate], [this.message], this.inList))
  }
}
