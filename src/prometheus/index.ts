import { register as defaultRegistry } from 'prom-client'
import { InvalidConfigError } from '../errors.js'
import { givenOptions, readable } from '../given.js'
import { kindOf } from '../wording/kind-of.js'
import { shown } from '../wording/shown.js'
import { Collector, type MeasuredProducer, type MetricsRegistry } from './collector.js'

export type { MeasuredProducer, MetricsRegistry } from './collector.js'

export interface ProducerMetricsOptions {
  /** Where the metrics are registered; prom-client's default registry where none is given. */
  readonly register?: MetricsRegistry | undefined
}

/**
 * Adds what `stats()` of a producer tells to the metrics of prom-client, all of them named `kafka_producer_…`. They are
 * read when the registry is, and cost nothing in between.
 *
 * Producers of one registry are told apart by the label `client_id`; those of the same are told as one. The registry holds
 * the producer until what is returned is called, which takes its figures out: once it is closed, and scraped a last time.
 * While others of its client id are in, what it has counted stays, so that no counter shrinks.
 *
 * @throws InvalidConfigError for what is neither a producer nor a registry, and for an option that there is not
 * @throws prom-client's own error where the registry has other metrics of these names
 */
export function collectProducerMetrics(producer: MeasuredProducer, options: ProducerMetricsOptions = {}): () => void {
  const { register = defaultRegistry } = checked(producer, options)
  return Collector.of(register).add(producer)
}

/** With a registry that is given in another way, the metrics would be in one that nobody scrapes. */
function checked(producer: MeasuredProducer, options: ProducerMetricsOptions): ProducerMetricsOptions {
  const isProducer = readable(
    () => {
      const { stats, config } = Object(producer) as Partial<MeasuredProducer>
      return typeof stats === 'function' && typeof config === 'object' && (config as unknown) !== null
    },
    () => 'producer',
  )
  if (!isProducer) throw refused('producer', producer, 'a Producer or a TransactionalProducer')
  if (typeof options !== 'object' || (options as unknown) === null)
    throw refused('options', options, 'an object such as { register }')
  const given = givenOptions(options)
  const unknown = Object.keys(given).find((name) => name !== 'register')
  if (unknown !== undefined)
    throw new InvalidConfigError(`options: there is no option ${shown(unknown)} of this call; it has register`)
  const { register } = given
  const isRegistry = readable(
    () =>
      register === undefined || typeof (register as Partial<MetricsRegistry> | null)?.getSingleMetric === 'function',
    () => 'register',
  )
  if (!isRegistry) throw refused('register', register, 'a Registry of prom-client')
  return given
}

function refused(name: string, value: unknown, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was ${kindOf(value)}, allowed is ${allowed}`)
}
