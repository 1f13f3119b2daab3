import {
  context,
  INVALID_SPANID,
  INVALID_TRACEID,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api'
import { BoundedMap } from '../bounded-map.js'
import type { MessageEnd, SendTrace } from '../index.js'
import { ownCopy } from '../topic-name.js'
import { toldReason } from '../wording/shown-error.js'
import { inject, injectInto, lacksContext, ownContexts } from './carried-context.js'
import {
  CLIENT_ID,
  CREATE,
  DESTINATION_NAME,
  ERROR_TYPE,
  MESSAGE_COUNT,
  OPERATION_NAME,
  OPERATION_TYPE,
  PARTITION_ID,
  SEND,
  type Conventions,
} from './conventions.js'
import { isolated } from './isolated.js'
import { commonTopic, commonTopicAtEnd, errorTypeOfAll, hasFailed, isTombstone, topicOf } from './messages.js'
import { commonServer, serverAttributes, type Share } from './servers.js'

/** What ends a span, once it is known how its messages ended. */
export type EndSpan = (ends: readonly MessageEnd[], shares: readonly Share[]) => void

/** As in the configuration of the instrumentation. */
export interface SpanOptions {
  readonly createSpans: boolean
  readonly propagateUnsampled: boolean
  readonly requireParentSpan: boolean
}

/** What the spans of an operation on a topic have in common. */
interface Named {
  readonly name: string
  readonly attributes: Attributes
}

/**
 * Makes the span of each `send()`, and has its context go with the messages: that of the span itself, or for a list that of
 * a span for each of the messages, which the span of the send links to. A context that a message brings along is left in
 * it, and linked to.
 */
export class SendSpans {
  private readonly sends = new BoundedMap<string, Named>()
  private readonly creates = new BoundedMap<string, Named>()
  /** The last context that nothing is recorded of, which stays so: whoever sends one by one is looked at once. */
  private unsampled: Context | undefined

  constructor(
    private readonly tracer: Tracer,
    private readonly conventions: Conventions,
    private readonly options: SpanOptions,
  ) {}

  /** Gives nothing where nobody records the span: of that as little is read and made as a sampler can do with. */
  begin(send: SendTrace): EndSpan | undefined {
    const parent = context.active()
    if (parent === this.unsampled) return undefined
    const caller = trace.getSpan(parent)
    if (caller === undefined) return this.options.requireParentSpan ? undefined : this.ask(send, parent)
    if (!isUnsampledHere(caller)) return this.ask(send, parent)
    if (this.options.propagateUnsampled) inject(send, parent, ownContexts(send))
    else this.unsampled = parent
    return undefined
  }

  /** Asks the sampler, by way of a span, whether one is wanted. */
  private ask(send: SendTrace, parent: Context): EndSpan | undefined {
    const { messages } = send
    if (messages.length === 0) return undefined
    const isAlone = messages.length === 1
    const isCreation = (isAlone || !this.options.createSpans) && lacksContext(send)
    const { name, attributes } = this.named(this.sends, SEND, commonTopic(messages))
    const kind = isCreation ? SpanKind.PRODUCER : SpanKind.CLIENT
    const span = this.tracer.startSpan(name, { kind, attributes }, parent)
    const isRecording = span.isRecording()
    const isPropagated = this.options.propagateUnsampled || isSampled(span.spanContext())
    if (!isRecording && !isPropagated) return undefined
    const within = trace.setSpan(parent, span)
    const own = ownContexts(send)
    // Of what is not recorded nobody would see them.
    span.addLinks(own.filter((link) => link !== undefined))
    // The span has begun, and is to end, whatever a propagator or a processor does.
    isolated(() => {
      if (isRecording && !isCreation) this.create(send, span, within, own, isPropagated)
      else if (isPropagated) inject(send, within, own)
    })
    if (!isRecording) return undefined
    const more = isAlone ? isTombstone(messages[0]) && this.conventions.tombstone : { [MESSAGE_COUNT]: messages.length }
    span.setAttributes({ [CLIENT_ID]: send.clientId, ...more })
    return (ends, shares) => this.end(send, span, ends, shares)
  }

  /** A span for each message that has no context of its own yet: children, so that all are sampled or none. */
  private create(
    send: SendTrace,
    span: Span,
    within: Context,
    own: readonly (Link | undefined)[],
    isPropagated: boolean,
  ): void {
    send.messages.forEach((message, index) => {
      if (own[index] !== undefined) return
      const { name, attributes } = this.named(this.creates, CREATE, topicOf(message))
      const more = isTombstone(message) && this.conventions.tombstone
      const created = this.tracer.startSpan(
        name,
        { kind: SpanKind.PRODUCER, attributes: { ...attributes, ...more } },
        within,
      )
      // A propagator that throws leaves neither this span open nor the others out.
      if (isPropagated) isolated(() => injectInto(send, index, trace.setSpan(within, created)))
      span.addLink({ context: created.spanContext() })
      created.end()
    })
  }

  private end({ messages }: SendTrace, span: Span, ends: readonly MessageEnd[], shares: readonly Share[]): void {
    span.setAttributes(serverAttributes(commonServer(shares)))
    const topic = commonTopicAtEnd(ends, messages)
    if (topic !== undefined && topic !== commonTopic(messages))
      span.updateName(`${SEND} ${topic}`).setAttribute(DESTINATION_NAME, topic)
    const [first, ...others] = ends
    if (first !== undefined && !hasFailed(first)) {
      const { partition, offset } = first
      if (others.every((end) => !hasFailed(end) && end.partition === partition && end.topic === first.topic))
        span.setAttribute(PARTITION_ID, String(partition))
      if (others.length === 0 && offset >= 0n) span.setAttributes(this.conventions.offset(offset))
    }
    const errors = ends.filter(hasFailed)
    const [error] = errors
    const type = errorTypeOfAll(ends)
    if (error !== undefined && type !== undefined) {
      span.setAttribute(ERROR_TYPE, type)
      const count = ends.length === 1 ? '' : `${errors.length} of ${ends.length} messages failed; the first: `
      span.setStatus({ code: SpanStatusCode.ERROR, message: `${count}${toldReason(error)}` })
    }
    span.end()
  }

  private named(known: BoundedMap<string, Named>, operation: string, topic: string | undefined): Named {
    let named = known.get(topic ?? '')
    if (named === undefined) {
      const own = topic === undefined ? undefined : ownCopy(topic)
      const destination = own === undefined ? {} : { [DESTINATION_NAME]: own }
      named = {
        name: own === undefined ? operation : `${operation} ${own}`,
        attributes: {
          [OPERATION_NAME]: operation,
          [OPERATION_TYPE]: operation,
          ...this.conventions.system,
          ...destination,
        },
      }
      known.set(own ?? '', named)
    }
    return named
  }
}

/**
 * Whether this process has decided already that nothing is recorded of what the caller is at. What a sampler says of a
 * remote caller is its own business.
 */
function isUnsampledHere(caller: Span): boolean {
  if (caller.isRecording()) return false
  const spanContext = caller.spanContext()
  const { isRemote, traceId, spanId } = spanContext
  // Of a span that is none the ids are zeros; to look at each of their digits would cost more than all of the rest.
  return !isSampled(spanContext) && isRemote !== true && traceId !== INVALID_TRACEID && spanId !== INVALID_SPANID
}

function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0
}
