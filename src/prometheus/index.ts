import { register as defaultRegistry } from 'prom-client'
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
 * @throws prom-client's own error where the registry has other metrics of these names
 */
export function collectProducerMetrics(
  producer: MeasuredProducer,
  { register = defaultRegistry }: ProducerMetricsOptions = {},
): () => void {
  return Collector.of(register).add(producer)
}
