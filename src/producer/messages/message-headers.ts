import { types } from 'node:util'
import { InvalidMessageError } from '../../errors.js'
import { isPromise } from '../../is-promise.js'
import { hasLoneSurrogate } from '../../lone-surrogate.js'
import { AddedHeaders, type Data, type OutgoingHeaders } from '../../protocol/records/record.js'
import { kindOf, kindOfContent, quoted, reasonOf } from '../../wording/kind-of.js'
import { dataOf } from './data.js'
import { MESSAGE_FIELDS } from './message-fields.js'

/** A header's value: bytes, a string stored as UTF-8, or null. */
export type HeaderValue = Data

/**
 * Headers by name in a plain object; or pairs of name and value in anything that can be iterated over (an array, a Map,
 * a request's Headers, URLSearchParams), whose order is kept. An array of values stands for several headers of one name.
 */
export type MessageHeaders =
  | Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>
  | Iterable<readonly [name: string, value: HeaderValue | readonly HeaderValue[]]>

/**
 * The headers as a record has them, name after value; null where there is none.
 *
 * @throws InvalidMessageError for what is neither a plain object nor pairs: what another object holds can't be known
 */
export function outgoingHeaders(headers: unknown): Data[] | null {
  if (headers === undefined || headers === null) return null
  let parts: Data[]
  try {
    parts = partsOf(headers)
  } catch (cause) {
    if (cause instanceof InvalidMessageError) throw cause
    throw new InvalidMessageError(`headers: ${kindOf(headers)} can't be read: ${reasonOf(cause)}`, { cause })
  }
  return parts.length === 0 ? null : parts
}

function partsOf(headers: unknown): Data[] {
  if (typeof headers !== 'object' || headers === null) throw neither(headers)
  if (isIterable(headers)) return partsOfPairs(headers)
  if (isPlain(headers)) return partsOfFields(headers as Readonly<Record<string, unknown>>)
  throw neither(headers)
}

function partsOfPairs(pairs: Iterable<unknown>): Data[] {
  const parts: Data[] = pairs instanceof AddedHeaders ? new AddedHeaders<Data>() : []
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new InvalidMessageError(`headers: given was ${kindOfContent(pair)}, allowed are pairs of name and value`)
    addValues(parts, parts.length, pair[0], pair[1])
  }
  return parts
}

function partsOfFields(fields: Readonly<Record<string, unknown>>): Data[] {
  const names = Object.keys(fields)
  // As many as there mostly are: the first push to an empty array would make room for seventeen.
  const parts = new Array<Data>(2 * names.length)
  let length = 0
  for (const name of names) length = addValues(parts, length, name, fields[name])
  if (length < parts.length) parts.length = length
  return parts
}

function neither(headers: unknown): InvalidMessageError {
  return new InvalidMessageError(
    `headers: given was ${kindOfContent(headers)}, allowed are a plain object and pairs of name and value`,
  )
}

/** Bytes and boxed strings are iterable too, and may be empty. */
function isIterable<T = unknown>(value: object): value is Iterable<T> {
  return Symbol.iterator in value && !ArrayBuffer.isView(value) && !types.isBoxedPrimitive(value)
}

/** Of any realm; all that it holds is its own, and can be listed. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === Object.prototype || prototype === null) return true
  return Object.getPrototypeOf(prototype) === null && Object.keys(prototype).length === 0
}

/** Puts a name and its value into their places; with several values, that name before each. Returns where they end. */
function addValues(parts: Data[], start: number, name: unknown, value: unknown): number {
  if (typeof name !== 'string')
    throw new InvalidMessageError(`headers: a name must be a string, given was ${kindOfContent(name)}`)
  if (hasLoneSurrogate(name)) throw loneSurrogate(`the name ${quoted(name)}`)
  if (!Array.isArray(value)) return addPair(parts, start, name, value)
  let at = start
  for (const one of value as readonly unknown[]) at = addPair(parts, at, name, one)
  return at
}

function addPair(parts: Data[], at: number, name: string, value: unknown): number {
  parts[at] = name
  parts[at + 1] = headerValue(name, value)
  return at + 2
}

function headerValue(name: string, value: unknown): Data {
  const data = dataOf(value)
  if (data === undefined) {
    throw new InvalidMessageError(
      `headers: the value of ${quoted(name)} is ${kindOfContent(value)}, allowed are bytes, a string and null`,
    )
  }
  if (typeof data === 'string' && hasLoneSurrogate(data)) throw loneSurrogate(`the value of ${quoted(name)}`)
  return data
}

function loneSurrogate(what: string): InvalidMessageError {
  return new InvalidMessageError(`headers: ${what} has a lone surrogate, which UTF-8 can't hold`)
}

/** One header. */
export type HeaderPair = readonly [name: string, value: HeaderValue]

/** The headers of a message one by one; none of such as no message may have, for which it is refused elsewhere. */
export function headerPairs(message: { readonly headers?: unknown }): readonly HeaderPair[] {
  try {
    return pairsOf(outgoingHeaders(message.headers) ?? [])
  } catch {
    return []
  }
}

/** What stands name after value, one by one. */
export function pairsOf(parts: OutgoingHeaders): HeaderPair[] {
  const pairs: HeaderPair[] = []
  for (let i = 0; i < parts.length; i += 2) pairs.push([parts[i] as string, parts[i + 1] as HeaderValue])
  return pairs
}

/** Whether headers are gone once they were gone through, such as the `entries()` of a Map: whoever asks has the same iterator. */
export function canBeReadOnce(headers: MessageHeaders): headers is Iterable<never> & MessageHeaders {
  return isIterable(headers) && headers[Symbol.iterator]() === headers[Symbol.iterator]()
}

/** Whether a message has a header of one of these names, where that can be seen without going through them; else nothing. */
export function hasHeader(message: { readonly headers?: unknown }, names: readonly string[]): boolean | undefined {
  try {
    const { headers } = message
    if (typeof headers !== 'object' || headers === null) return false
    if (isIterable(headers)) return undefined
    for (const name of names) if (Object.hasOwn(headers, name)) return true
    return false
  } catch {
    return undefined
  }
}

/** Whether a message has headers that its caller gave; what is none is his, too, who is to be told. */
export function hasOwnHeaders({ headers }: { readonly headers?: unknown }): boolean {
  try {
    return !(headers instanceof AddedHeaders) && outgoingHeaders(headers) !== null
  } catch {
    return true
  }
}

/**
 * For whoever reads a message that others read after him: headers that can be read but once, such as the `entries()` of a
 * Map, are a list in the one that it gives. Where they end with an error, those who read them after him meet it, too.
 */
export function withLastingHeaders<M extends { readonly headers?: MessageHeaders | null | undefined }>(message: M): M {
  try {
    const { headers } = message
    if (typeof headers !== 'object' || headers === null || !canBeReadOnce(headers)) return message
    return withOtherHeaders(message, lasting(headers))
  } catch {
    // It can't be read, for which it is refused elsewhere.
    return message
  }
}

/** A generator that has thrown is as one that is at its end: whoever goes through it again would find no headers. */
function lasting(headers: Iterable<HeaderPair>): Iterable<HeaderPair> {
  try {
    return [...headers]
  } catch (cause) {
    return {
      [Symbol.iterator]: () => {
        throw cause
      },
    }
  }
}

/**
 * A message like the one given, with more headers behind its own; where its own are none that a message may have it is
 * given as it is, to be refused for them.
 *
 * @throws InvalidMessageError for what is added and is neither a plain object nor pairs: it would be lost silently; and for a
 *   list of messages
 * @typeParam M `object` is in it for messages without headers: what has nothing in common with a type that is optional
 *   throughout is refused
 */
export function withHeaders<M extends object & { readonly headers?: MessageHeaders | null | undefined }>(
  message: M,
  added: Readonly<Record<string, HeaderValue>> | Iterable<HeaderPair>,
): M {
  if (typeof message !== 'object' || (message as unknown) === null || isPromise<unknown>(message)) return message
  if (Array.isArray(message))
    throw new InvalidMessageError('withHeaders() takes one message, given was a list: give it each of them')
  const { headers } = message
  const more = addedPairs(added)
  if (headers === undefined || headers === null) return withOtherHeaders(message, more)
  if (typeof headers !== 'object') return message
  if (isIterable(headers)) return withOtherHeaders(message, [...headers, ...more])
  return isPlain(headers) ? withOtherHeaders(message, [...Object.entries(headers), ...more]) : message
}

function addedPairs(added: unknown): readonly HeaderPair[] {
  if (typeof added !== 'object' || added === null) throw neither(added)
  if (isIterable<HeaderPair>(added)) return [...added]
  if (isPlain(added)) return Object.entries(added as Readonly<Record<string, HeaderValue>>)
  throw neither(added)
}

/**
 * Those of a subscriber's headers that a message may have: nobody could be told that one is refused, and no message is to fail
 * for it, nor to lose the others. A tracer's carrier may be of a class of its own.
 */
export function sendablePairs(headers: Readonly<Record<string, HeaderValue>>): HeaderPair[] {
  const pairs = isIterable<HeaderPair>(headers) ? [...headers] : Object.entries(headers)
  return pairs.flatMap((pair) => headerPairs({ headers: [pair] }))
}

/**
 * A message like the one given, with these headers. An instance of a class may have accessors, which a copy of its own
 * properties leaves behind: they would be lost silently.
 */
export function withOtherHeaders<M extends object>(message: M, headers: MessageHeaders): M {
  const copy = { ...message, headers }
  if (isPlain(message)) return copy
  const fields: Record<string, unknown> = copy
  for (const name of MESSAGE_FIELDS)
    if (!Object.hasOwn(copy, name)) fields[name] = (message as Readonly<Record<string, unknown>>)[name]
  return copy
}
