import { types } from 'node:util'
import { isPromise } from '../../is-promise.js'
import { copyOf } from './data.js'
import type { KeyedMessage } from './keyed-message.js'
import { withOtherHeaders, outgoingHeaders, pairsOf, withLastingHeaders, type HeaderPair } from './message-headers.js'

/** A value alone: what the default encoder takes. */
export function isBareValue(given: unknown): boolean {
  return (
    typeof given === 'string' || types.isUint8Array(given) || types.isAnyArrayBuffer(given) || types.isDataView(given)
  )
}

/**
 * A message, or a value alone, for whoever looks at it later: the same with bytes of its own, since the caller may change
 * his, or use the whole message for the next one. What is no message is given as it is, to be refused when it is looked at.
 */
export function withOwnBytes(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given
  try {
    if (isBareValue(given)) return copyOf(given)
    if (Array.isArray(given) || isPromise(given)) return given
    return ownMessage(withLastingHeaders(given as KeyedMessage))
  } catch {
    return given
  }
}

function ownMessage(message: KeyedMessage): KeyedMessage {
  let pairs: readonly HeaderPair[]
  try {
    pairs = pairsOf(outgoingHeaders(message.headers) ?? [])
  } catch {
    return message
  }
  const ownHeaders = pairs.map(([name, value]): HeaderPair => [name, copyOf(value)])
  const own = withOtherHeaders(message, ownHeaders)
  const given = (['value', 'key', 'partitionKey'] as const).filter((name) => own[name] !== undefined)
  return { ...own, ...Object.fromEntries(given.map((name) => [name, copyOf(own[name])])) }
}
