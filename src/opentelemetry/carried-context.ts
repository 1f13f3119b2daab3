import { types } from 'node:util'
import { propagation, ROOT_CONTEXT, trace, type Context, type Link } from '@opentelemetry/api'
import type { SendTrace } from '../index.js'
import { isolated } from './isolated.js'

/* The contexts that messages carry in their headers: what they bring along, and what is put into them. */

/** By which it is seen what baggage is called, which propagators do not say of their fields. */
const SOME_BAGGAGE = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage({ some: { value: '1' } }))

/** The contexts that messages bring along, each in its message's place. */
export function ownContexts(send: SendTrace): (Link | undefined)[] {
  const fields = propagation.fields()
  return send.messages.map((_, index) => ownContext(send, index, fields))
}

/** Whether any of the messages brings no context along. */
export function lacksContext(send: SendTrace): boolean {
  const fields = propagation.fields()
  return send.messages.some((_, index) => ownContext(send, index, fields) === undefined)
}

function ownContext(send: SendTrace, index: number, fields: readonly string[]): Link | undefined {
  if (!send.hasHeader(index, fields)) return undefined
  const carrier = Object.fromEntries(send.headersOf(index).map(([name, value]) => [name, text(value)]))
  // What a propagator throws at can't be read.
  const spanContext = isolated(() => trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier)))
  return spanContext === undefined ? undefined : { context: spanContext }
}

function text(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  // As well one of another realm, such as a test runner's.
  return types.isUint8Array(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
    : undefined
}

/** Puts a context into all messages but those that have one of their own. */
export function inject(send: SendTrace, within: Context, own: readonly (Link | undefined)[]): void {
  const headers = headersFor(within)
  for (let index = 0; index < send.messages.length; index++)
    if (own[index] === undefined) addHeaders(send, index, headers)
}

/** Puts a context into a message that has none of its own. */
export function injectInto(send: SendTrace, index: number, within: Context): void {
  addHeaders(send, index, headersFor(within))
}

function headersFor(within: Context): Record<string, string> {
  const headers: Record<string, string> = {}
  propagation.inject(within, headers)
  return headers
}

/**
 * Of two headers of one name readers take this one or that. So what a message has of a trace, which is none that can be read,
 * goes with all that belongs to it, as W3C has it; baggage of its own is what its caller wants it to have, and stays.
 */
function addHeaders(send: SendTrace, index: number, headers: Readonly<Record<string, string>>): void {
  const names = Object.keys(headers)
  if (names.length === 0) return
  const fields = propagation.fields()
  if (!send.hasHeader(index, fields)) return send.addHeaders(index, headers)
  const baggage = Object.keys(headersFor(SOME_BAGGAGE))
  if (names.some((name) => !baggage.includes(name)))
    send.removeHeaders(
      index,
      fields.filter((name) => !baggage.includes(name)),
    )
  const added = Object.entries(headers).filter(([name]) => !send.hasHeader(index, [name]))
  send.addHeaders(index, Object.fromEntries(added))
}
