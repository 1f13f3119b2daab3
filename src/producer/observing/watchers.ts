import type { Clock } from '../../clock.js'
import { formatAddress } from '../../network/streams/connect.js'
import { Observers, type Observer } from '../../stats/observer.js'
import { StatsCounters, type ProducerStats } from '../../stats/producer-stats.js'
import { StatisticsObserver } from '../../stats/statistics.js'
import type { Surroundings } from '../../surroundings.js'
import type { AnyBroker } from '../brokers/any-broker.js'
import type { ProducerConfig } from '../config/producer-config.js'
import { MetricsPush } from '../telemetry/metrics-push.js'
import { ProducerMetrics } from '../telemetry/producer-metrics.js'
import { ChannelObserver } from './channels.js'
import { EventLog } from './event-log.js'
import { Warnings, type Listeners } from './kafka-producer-warning.js'
import { StatsReports } from './stats-reports.js'

type Config = Pick<
  ProducerConfig,
  'clientId' | 'logger' | 'onStats' | 'statsIntervalMs' | 'enableMetricsPush' | 'requestTimeoutMs'
>

/** All that a producer is seen by: what it counts and measures, its log and warnings, its channels, the metrics that it pushes. */
export class Watchers {
  readonly observers = new Observers()
  readonly counters = new StatsCounters()
  readonly warnings: Warnings
  private readonly statistics: StatisticsObserver
  private readonly log: EventLog
  private readonly clock: Clock
  private reports: StatsReports | undefined
  /** Undefined where it is switched off. */
  private metricsPush: MetricsPush | undefined

  /**
   * @param listeners who hears of warnings
   * @param observer watches besides
   */
  constructor(
    private readonly config: Config,
    private readonly surroundings: Surroundings,
    listeners: Listeners,
    observer: Observer,
  ) {
    const { clock } = surroundings
    this.clock = clock
    this.statistics = new StatisticsObserver(() => clock.now())
    this.warnings = new Warnings(listeners, this.counters, (warning) => this.log.warning(warning))
    this.log = new EventLog(config.logger, config.clientId, clock, (error) => this.warnings.loggerThrew(error))
    for (const watcher of [this.counters, observer, this.statistics, this.log, new ChannelObserver(config.clientId)])
      this.observers.add(watcher)
  }

  /** To clusters that ask for them, unless that is switched off. */
  pushMetrics(anyBroker: AnyBroker): void {
    const { config, surroundings, observers } = this
    if (!config.enableMetricsPush) return
    const metrics = new ProducerMetrics({
      clock: this.clock,
      opened: () => this.statistics.connectionsOpened,
      nodes: () => new Map([...anyBroker.brokers].map(([id, address]) => [formatAddress(address), id])),
    })
    const { requestTimeoutMs } = config
    this.metricsPush = new MetricsPush({ anyBroker, surroundings, observers, metrics, requestTimeoutMs })
    observers.add(this.metricsPush.observer)
  }

  /** Tells `onStats`, if there is one, from now on. */
  report(stats: () => ProducerStats): void {
    const { onStats, statsIntervalMs } = this.config
    if (onStats === undefined) return
    const threw = (error: unknown) => this.warnings.threw('onStats', error)
    this.reports = new StatsReports(onStats, statsIntervalMs, stats, this.clock, threw)
  }

  stats(held: { readonly messages: number; readonly bytes: number }): ProducerStats {
    return {
      ...this.counters.snapshot(held),
      ...this.statistics.snapshot(),
      clientInstanceId: this.metricsPush?.clientInstanceId,
    }
  }

  /** All messages have their fate: what is pushed of them goes out, in the time that is left. */
  pushLast(timeLeftMs: number): Promise<void> {
    return this.metricsPush?.close(timeLeftMs) ?? Promise.resolve()
  }

  close(): void {
    this.reports?.close()
    this.log.close()
  }
}
