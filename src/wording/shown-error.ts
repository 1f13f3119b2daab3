import { inspect, type InspectOptions } from 'node:util'
import { kindOfContent, reasonOf } from './kind-of.js'
import { isInUsersWords } from './whose-words.js'

/** Lines of a stack trace: so many that who called is among them, with the ways in which a call goes before it is refused. */
const MAX_FRAMES = 6

/** A chain of causes that is longer is a cycle, or made by somebody. */
const MAX_CAUSES = 8

/** Field values are ours, and short; a program may have added its own. */
const FIELD: InspectOptions = { depth: 1, maxArrayLength: 10, maxStringLength: 300, breakLength: Infinity }

/** An error as `util.inspect` and `console.error` print it: a few lines, whatever it is about. */
export function inspectError(error: Error, depth: number, options: InspectOptions): string {
  if (depth < 0) return `[${headOf(error)}]`
  const fields = Object.entries(error)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${inspect(value, { ...options, ...FIELD })}`)
  const inner = [fields.join(', '), ...causesOf(error).map((cause) => `[cause]: ${shownCause(cause, '\n  ')}`)]
  return `${[headOf(error), ...framesOf(error)].join('\n')} {\n${inner.map((line) => `  ${line}\n`).join('')}}`
}

/** What somebody else threw, as a log may have it: what it says and where, and nothing of what it carries, such as a message. */
export function shownCause(thrown: unknown, lineEnd = '\n'): string {
  return [withCode(thrown), ...framesOfCause(thrown)].join(lineEnd)
}

/** What is wrong with a message, which code of the user's that looked at it may have said: an encoder, a partitioner, a getter. */
const ABOUT_MESSAGES: ReadonlySet<string> = new Set(['SERIALIZATION_FAILED', 'INVALID_PARTITION', 'INVALID_MESSAGE'])

/**
 * An error of ours in words, for what is logged and traced where nobody asked for it, and nothing of a message may stand.
 * What the user's code threw about one is named and not quoted: such texts mostly quote the message in their turn, as those
 * of `JSON.parse` do. Whoever is given the error itself has it whole.
 */
export function toldReason(error: Error & { readonly code: string }): string {
  const { message } = error
  let thrown: unknown = error
  let isAboutMessage = false
  for (; isOurs(thrown) && !isInUsersWords(thrown); thrown = thrown.cause)
    isAboutMessage ||= ABOUT_MESSAGES.has(thrown.code)
  if (!isAboutMessage || thrown === undefined) return message
  const said = reasonOf(thrown)
  return message.endsWith(said) ? message.slice(0, message.length - said.length) + nameOf(thrown) : message
}

function nameOf(thrown: unknown): string {
  const { name } = partsOf(thrown)
  return name ?? kindOfContent(thrown)
}

/** An error as `JSON.stringify` writes it: what it says, its fields, and its causes as far as they say more. */
export function jsonOfError(error: Error): Readonly<Record<string, unknown>> {
  const { name, message } = error
  return { name, message, ...Object.fromEntries(Object.entries(error)), ...jsonOfCauses(causesOf(error)) }
}

function jsonOfCauses([first, ...others]: readonly unknown[]): { cause?: unknown } {
  if (first === undefined) return {}
  const { name, message, code } = partsOf(first)
  return { cause: { name, message, code, ...jsonOfCauses(others) } }
}

/** The causes that say what was not said before. Most only hand on the text of the next, or are quoted by the one above. */
function causesOf(error: Error): unknown[] {
  const told: unknown[] = []
  const seen = new Set<unknown>([error])
  let said = error.message
  let { cause } = error
  for (; cause !== undefined && cause !== null && !seen.has(cause) && seen.size <= MAX_CAUSES; cause = causeOf(cause)) {
    seen.add(cause)
    const { message } = partsOf(cause)
    // Where it was thrown is told nowhere else, if that was in the code of a program.
    if (said.includes(textOf(cause) ?? message) && framesOfCause(cause).length === 0) continue
    said += `\n${message}`
    told.push(cause)
  }
  return told
}

function headOf(thrown: unknown): string {
  const { name, message } = partsOf(thrown)
  return name === undefined ? message : `${name}: ${message}`
}

function withCode(cause: unknown): string {
  const { code } = partsOf(cause)
  return code === undefined ? headOf(cause) : `${headOf(cause)} { code: '${code}' }`
}

/** What was thrown: mostly an error, but it may be anything, such as a secret, and throw when it is looked at. */
function partsOf(thrown: unknown): { name?: string; message: string; code?: string } {
  try {
    if (!isError(thrown)) return { message: `${kindOfContent(thrown)}, not shown since it is no Error` }
    const { name, message, code } = thrown
    return { name: String(name), message: String(message), ...(typeof code === 'string' ? { code } : {}) }
  } catch {
    return { message: 'something that can’t be shown' }
  }
}

/** The text of what is no error, as an error may have quoted it; undefined of others. */
function textOf(thrown: unknown): string | undefined {
  try {
    return isError(thrown) ? undefined : String(thrown)
  } catch {
    return undefined
  }
}

function causeOf(thrown: unknown): unknown {
  try {
    return isError(thrown) ? thrown.cause : undefined
  } catch {
    return undefined
  }
}

/** An error of any realm, or what a test runner has made of one. */
function isError(thrown: unknown): thrown is Error & { code?: unknown } {
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown && 'name' in thrown
}

/** An error of this package. */
function isOurs(thrown: unknown): thrown is Error & { readonly code: string } {
  try {
    return isError(thrown) && 'retriable' in thrown
  } catch {
    return false
  }
}

/** Where a cause was thrown. Of our own errors nothing: what matters is what was called, which is with the first. */
function framesOfCause(cause: unknown): string[] {
  try {
    return isError(cause) && !(inspect.custom in cause) ? framesOf(cause) : []
  } catch {
    return []
  }
}

/** Where an error was thrown, without Node's own part. */
function framesOf({ stack }: Error): string[] {
  const lines = typeof stack === 'string' ? stack.split('\n') : []
  return lines.filter((line) => /^ {4}at /.test(line) && !/[( ]node:/.test(line)).slice(0, MAX_FRAMES)
}
