import { createDebug } from '../../debug.js'
import { InvalidConfigError } from '../../errors.js'
import { readable } from '../../given.js'
import { isRecord } from '../../is-record.js'
import { kindOf } from '../../wording/kind-of.js'
import { shownCause } from '../../wording/shown-error.js'
import { shown } from '../../wording/shown.js'

const debug = createDebug('kafka-producer:signal')

interface Shared<T> {
  readonly those: Set<T>
  readonly onAbort: () => void
}

/**
 * The signal that a call was given, of this realm, another's or a polyfill's; undefined where it was given none.
 *
 * @throws InvalidConfigError for what can't be listened to, such as the controller in place of its signal
 */
export function signalOf(options: { readonly signal?: unknown } | undefined): AbortSignal | undefined {
  const signal = options?.signal
  if (signal === undefined || signal === null) return undefined
  try {
    if (isSignal(signal)) return signal
  } catch (cause) {
    throw wrongSignal(signal, cause)
  }
  throw wrongSignal(signal)
}

/**
 * The same of a `send()`, which has no other option.
 *
 * @throws InvalidConfigError for another one, and for what holds no options, such as the signal itself: it would have no
 *   effect, and nobody would know
 */
export function signalOfSend(options: { readonly signal?: unknown } | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  try {
    if (!isOptions(options)) throw noOptions(options, SEND_OPTIONS)
    for (const name in options) if (name !== 'signal') checkOption(options, name, SEND_OPTIONS)
    return signalOf(options)
  } catch (cause) {
    if (cause instanceof InvalidConfigError) throw cause
    throw new InvalidConfigError(`options: given was ${kindOf(options)} that can't be read`, { cause })
  }
}

const SEND_OPTIONS = ['signal']

/**
 * The options of a call, read once.
 *
 * @throws InvalidConfigError for what is no object, for an option that the call does not have, and for what can't be read
 */
export function callOptions<O extends object>(options: O, known: readonly (keyof O & string)[]): O {
  return readable(
    () => {
      if (!isOptions(options)) throw noOptions(options, known)
      for (const name of Object.keys(options))
        if (!(known as readonly string[]).includes(name)) checkOption(options, name, known)
      return Object.fromEntries(known.map((name) => [name, options[name]])) as O
    },
    () => 'options: what was given',
  )
}

/** Nothing of a list, a promise, or a signal that is given in place of the object with it, would have an effect. */
function isOptions(options: unknown): options is object {
  return typeof options === 'object' && options !== null && isRecord(options) && !isSignal(options)
}

function noOptions(given: unknown, known: readonly string[]): InvalidConfigError {
  const what = typeof given === 'object' ? kindOf(given) : shown(given)
  return new InvalidConfigError(`options: given was ${what}, allowed is an object with ${known.join(', ')}`)
}

function checkOption(options: object, name: string, known: readonly string[]): void {
  if (!Object.hasOwn(options, name) || (options as Record<string, unknown>)[name] === undefined) return
  throw new InvalidConfigError(`options: there is no option ${shown(name)} of this call; it has ${known.join(', ')}`)
}

function wrongSignal(signal: unknown, cause?: unknown): InvalidConfigError {
  const message = `signal: given was ${kindOf(signal)}, allowed is an AbortSignal, such as controller.signal`
  return new InvalidConfigError(message, cause === undefined ? {} : { cause })
}

function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  )
}

/**
 * One listener on a signal, however many calls share it: thousands of `send()`s may well be given the same one, and Node
 * warns of a leak from the eleventh listener on.
 */
export class SignalListeners<T> {
  private readonly bySignal = new WeakMap<AbortSignal, Shared<T>>()

  /** @param onAborted called with those who share a signal; who leaves before it is his turn is left out */
  constructor(private readonly onAborted: (those: Iterable<T>, signal: AbortSignal) => void) {}

  /**
   * Adds one to those whom the signal ends; returns what takes it back.
   *
   * @throws InvalidConfigError where it can't be listened to
   */
  add(signal: AbortSignal, one: T): () => void {
    const shared = this.bySignal.get(signal) ?? this.listenTo(signal)
    shared.those.add(one)
    return () => {
      if (!shared.those.delete(one) || shared.those.size > 0) return
      this.bySignal.delete(signal)
      try {
        signal.removeEventListener('abort', shared.onAbort)
      } catch (error) {
        debug('a signal kept its listener: %s', shownCause(error))
      }
    }
  }

  private listenTo(signal: AbortSignal): Shared<T> {
    const those = new Set<T>()
    const onAbort = () => this.onAborted(those, signal)
    const shared = { those, onAbort }
    try {
      // Not once: anybody may dispatch its event, though it is not aborted.
      signal.addEventListener('abort', onAbort)
    } catch (cause) {
      throw wrongSignal(signal, cause)
    }
    this.bySignal.set(signal, shared)
    return shared
  }
}
