import { InvalidConfigError } from '../errors.js'
import { givenOptions } from '../given.js'
import { shown } from '../wording/shown.js'

export interface KafkaProducerInstrumentationConfig {
  /** Whether it begins to work when it is made, and not only when `enable()` is called; true by default. */
  readonly enabled?: boolean | undefined
  /**
   * Whether each message of a list has a span `create <topic>` of its own, whose context goes with it; true by default.
   * Without, all messages of a list have the context of its `send`.
   */
  readonly createSpans?: boolean | undefined
  /**
   * Whether messages of a trace that is not sampled have its context in their headers, too, so that consumers know of that
   * decision; false by default, since it costs every message the header that is nobody's span.
   */
  readonly propagateUnsampled?: boolean | undefined
  /**
   * Whether only sends within a span have one; false by default, and a send within none begins a trace where the sampler
   * wants it. To ask a sampler for a new trace costs about as much as to send a small message, so that is for
   * whoever sends many messages within none, one by one, and does not want to see them.
   */
  readonly requireParentSpan?: boolean | undefined
}

/** The configuration that is in force. Instrumentations of OpenTelemetry always say whether they are enabled. */
export type CurrentConfig = KafkaProducerInstrumentationConfig & { readonly enabled: boolean }

const NAMES: readonly string[] = [
  'enabled',
  'createSpans',
  'propagateUnsampled',
  'requireParentSpan',
] satisfies (keyof KafkaProducerInstrumentationConfig)[]

/**
 * The configuration, with its default.
 *
 * @throws InvalidConfigError for a name that there is not, which would have no effect, and for what is neither true nor
 *   false: every text is true, 'false' as well
 */
export function checkedConfig(given: KafkaProducerInstrumentationConfig): CurrentConfig {
  const config = givenOptions(given)
  for (const [name, value] of Object.entries(config)) {
    if (!NAMES.includes(name))
      throw new InvalidConfigError(
        `there is no option ${shown(name)} of this instrumentation; it has ${NAMES.join(', ')}`,
      )
    if (typeof value !== 'boolean')
      throw new InvalidConfigError(`${name}: given was ${shown(value)}, allowed is true or false`)
  }
  return { ...config, enabled: config.enabled ?? true }
}

/** @throws InvalidConfigError for what has no such method */
export function checkedProvider<T>(provider: T, method: keyof T & string): T {
  if (typeof (provider as Partial<T> | null | undefined)?.[method] === 'function') return provider
  throw new InvalidConfigError(`the provider: given was ${shown(provider)}, allowed is an object with ${method}()`)
}
