import type { MessageEnd, SendTrace } from '../index.js'
import { isTopicName } from '../topic-name.js'
import { OTHER_ERROR } from './conventions.js'

type Message = SendTrace['messages'][number]
type Acknowledged = Extract<MessageEnd, { readonly offset: bigint }>
type Failed = Exclude<MessageEnd, Acknowledged>

/** The topic that all messages go to; undefined where they go to several. */
export function commonTopic(messages: readonly Message[]): string | undefined {
  const topic = topicOf(messages[0])
  for (let index = 1; index < messages.length; index++) if (topicOf(messages[index]) !== topic) return undefined
  return topic
}

/** Of a message that nobody has checked yet; undefined for what no topic can be called, which may be anything. */
export function topicOf(message: Message | undefined): string | undefined {
  try {
    const topic: unknown = message?.topic
    return isTopicName(topic) ? topic : undefined
  } catch {
    return undefined
  }
}

/** The topic that a message went to, or was to: an interceptor may have given it another than its caller. */
export function topicAtEnd(end: MessageEnd, message: Message | undefined): string | undefined {
  return 'topic' in end && typeof end.topic === 'string' && end.topic !== '' ? end.topic : topicOf(message)
}

/** The one that all messages went to; undefined where they went to several. */
export function commonTopicAtEnd(ends: readonly MessageEnd[], messages: readonly Message[]): string | undefined {
  const [first] = ends
  const topic = first && topicAtEnd(first, messages[0])
  return ends.every((end, index) => topicAtEnd(end, messages[index]) === topic) ? topic : undefined
}

export function isTombstone(message: Message | undefined): boolean {
  try {
    return message?.value === null
  } catch {
    return false
  }
}

export function hasFailed(end: MessageEnd): end is Failed {
  return end instanceof Error
}

/** What is told of an error: its `code`, which is Kafka's name for it where a broker told it. */
export function errorType({ code }: Failed): string {
  return code ?? OTHER_ERROR
}

/** The same of a send: that of the error of `send()`, where its messages failed for several reasons. Undefined: none did. */
export function errorTypeOfAll(ends: readonly MessageEnd[]): string | undefined {
  let type: string | undefined
  for (const end of ends) {
    if (!hasFailed(end)) continue
    const its = errorType(end)
    if (type !== undefined && type !== its) return 'FAILED_TO_SEND'
    type = its
  }
  return type
}

/** Whether it went into a request, or would have if a connection could be had. */
export function wasAttempted(end: MessageEnd): boolean {
  return !hasFailed(end) || ('attempts' in end && Number(end.attempts) > 0)
}
