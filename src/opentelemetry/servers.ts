import type { Attributes } from '@opentelemetry/api'
import type { BrokerAddress, DeliveryError, MessageEnd, SendTrace } from '../index.js'
import { SERVER_ADDRESS, SERVER_PORT } from './conventions.js'
import { hasFailed, wasAttempted } from './messages.js'

/* Which brokers the messages of a send went to: the leaders of their partitions, by what is known at its end. */

/** How many messages of a send went to one broker. */
export interface Share {
  /** Undefined: they went to none, or nobody knows to which. */
  readonly server: BrokerAddress | undefined
  messages: number
}

/**
 * Of a message that failed, too, if it went into a request, or would have if a connection could be had; but of one that was
 * refused by a broker that leads no more, the leader that is known by now is another one.
 */
export function serverAtEnd(send: SendTrace, end: MessageEnd): BrokerAddress | undefined {
  if (!hasFailed(end)) return send.leaderOf(end.topic, end.partition)
  if (!wasAttempted(end) || end.code === 'NOT_LEADER_OR_FOLLOWER') return undefined
  const { topic, partition } = end as Partial<DeliveryError>
  return topic === undefined || partition === undefined ? undefined : send.leaderOf(topic, partition)
}

export function sharesAtEnd(send: SendTrace, ends: readonly MessageEnd[]): readonly Share[] {
  const [first] = ends
  if (first !== undefined && ends.length === 1) return [{ server: serverAtEnd(send, first), messages: 1 }]
  const shares: Share[] = []
  const shareOf = (server: BrokerAddress | undefined): Share => {
    let share = shares.find((known) => known.server?.host === server?.host && known.server?.port === server?.port)
    if (share === undefined) shares.push((share = { server, messages: 0 }))
    return share
  }
  // Lists are long, and partitions few.
  let topic: string | undefined
  let ofPartitions: Share[] = []
  for (const end of ends) {
    if (hasFailed(end)) {
      shareOf(serverAtEnd(send, end)).messages++
      continue
    }
    if (end.topic !== topic) {
      topic = end.topic
      ofPartitions = []
    }
    const share = (ofPartitions[end.partition] ??= shareOf(serverAtEnd(send, end)))
    share.messages++
  }
  return shares
}

/** The one that all messages went to; undefined where they went to several. */
export function commonServer(shares: readonly Share[]): BrokerAddress | undefined {
  return shares.length === 1 ? shares[0]?.server : undefined
}

export function serverAttributes(server: BrokerAddress | undefined): Attributes {
  return server === undefined ? {} : { [SERVER_ADDRESS]: server.host, [SERVER_PORT]: server.port }
}
