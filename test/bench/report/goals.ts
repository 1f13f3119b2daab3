/** What the benchmark is to show, and how far it is from that. Goals, not tests: times are never judged by CI. */
import type { GroupName } from '../cases.js'
import { CLIENTS, PEER_NAMES, type ClientName } from '../clients.js'
import type { Mode } from '../job.js'
import type { Metric, Results } from '../results.js'

export interface Goal {
  readonly text: string
  /** Undefined where something of it is not measured. */
  readonly measured: number | undefined
  readonly atLeast?: number
  readonly atMost?: number
  readonly unit: string
  /** Whom it is compared with, where that is decided by measuring. */
  readonly against?: string
}

export function isReached({ measured = Number.NaN, atLeast = -Infinity, atMost = Infinity }: Goal): boolean {
  return measured >= atLeast && measured <= atMost
}

export function goals(results: Results): Goal[] {
  const figures = new Figures(results)
  return [
    batch,
    single,
    realShape,
    slowAndSeveral,
    far,
    lone,
    realKafka,
    scaling,
    memory,
    loopDelay,
    endings,
    size,
    compression,
  ].flatMap((some) => some(figures))
}

interface Place {
  readonly group: GroupName
  readonly mode: Mode
  readonly bytes?: number
  readonly variant?: string
}

const SIZES = [100, 1_000]
const MODES = ['batch', 'single', 'async'] as const
const PROMISES = ['batch', 'single'] as const
const QUEUE_MB = (32 * 2 ** 20) / 1e6

class Figures {
  constructor(readonly results: Results) {}

  /** Undefined where it was not measured, or where the sink counted otherwise. */
  of(
    client: ClientName,
    { group, mode, bytes = 100, variant = '' }: Place,
    metric: Metric = 'rate',
  ): number | undefined {
    const row = this.results[group]?.rows.find(
      (one) => one.client === client && one.mode === mode && one.bytes === bytes && one.variant === variant,
    )
    return row?.matched === true ? row.metrics[metric] : undefined
  }

  toFastestPeer(what: string, place: Place, atLeast: number): Goal {
    const peers = PEER_NAMES.map((client) => ({ client, rate: this.of(client, place) ?? 0 })).sort(
      (a, b) => b.rate - a.rate,
    )
    const best = peers.find(({ rate }) => rate > 0)
    const against = best === undefined ? {} : { against: CLIENTS[best.client] }
    return {
      text: `${what}: rate by that of the fastest Node peer`,
      measured: ratio(this.of('ours', place), best?.rate),
      atLeast,
      unit: '×',
      ...against,
    }
  }

  toMinimal(what: string, place: Place, atLeast: number): Goal {
    return {
      text: `${what}: share of the minimal producer’s rate`,
      measured: percent(ratio(this.of('ours', place), this.of('minimal', place))),
      atLeast,
      unit: '%',
    }
  }
}

function batch(figures: Figures): Goal[] {
  return SIZES.flatMap((bytes) => {
    const place: Place = { group: 'rates', mode: 'batch', bytes }
    const loop: Place = { ...place, mode: 'async' }
    const what = `batch, ${bytes} B`
    const cpu = ratio(figures.of('ours', place, 'cpuPerMillion'), figures.of('librdkafka', loop, 'cpuPerMillion'))
    return [
      figures.toFastestPeer(what, place, bytes === 100 ? 8 : 4),
      {
        text: `${what}: rate by that of librdkafka’s C program`,
        measured: ratio(figures.of('ours', place), figures.of('librdkafka', loop)),
        atLeast: 1,
        unit: '×',
      },
      {
        text: `${what}: processor time per message by that of librdkafka’s C program`,
        measured: cpu,
        atMost: 1.5,
        unit: '×',
      },
      figures.toMinimal(what, place, 60),
    ]
  })
}

function single(figures: Figures): Goal[] {
  return SIZES.flatMap((bytes) => {
    const place: Place = { group: 'rates', mode: 'single', bytes }
    const what = `single, ${bytes} B`
    const lowest = Math.min(...PEER_NAMES.flatMap((client) => figures.of(client, place, 'p99') ?? []))
    return [
      figures.toFastestPeer(what, place, bytes === 100 ? 6 : 5),
      figures.toMinimal(what, place, 50),
      {
        text: `${what}: p99 of a send() by the lowest of the Node peers`,
        measured: ratio(figures.of('ours', place, 'p99'), lowest),
        atMost: 1,
        unit: '×',
      },
      {
        text: `async, ${bytes} B: rate by that of single`,
        measured: ratio(figures.of('ours', { ...place, mode: 'async' }), figures.of('ours', place)),
        atLeast: 1.5,
        unit: '×',
      },
    ]
  })
}

/** What a service sends: a key, JSON as a string, headers that differ from message to message. */
function realShape(figures: Figures): Goal[] {
  const wanted = { batch: [5, 6], single: [3.7, 5] } as const
  return SIZES.flatMap((bytes, i) => {
    const loop: Place = { group: 'shape', mode: 'async', bytes }
    const compared = (metric: Metric) =>
      ratio(figures.of('ours', { ...loop, mode: 'batch' }, metric), figures.of('librdkafka', loop, metric))
    return [
      ...PROMISES.map((mode) =>
        figures.toFastestPeer(`real shape, ${mode}, ${bytes} B`, { ...loop, mode }, wanted[mode][i] as number),
      ),
      {
        text: `real shape, batch, ${bytes} B: rate by that of librdkafka’s C program`,
        measured: compared('rate'),
        atLeast: 0.8,
        unit: '×',
      },
      {
        text: `real shape, batch, ${bytes} B: processor time per message by that of librdkafka’s C program`,
        measured: compared('cpuPerMillion'),
        atMost: 1.5,
        unit: '×',
      },
    ]
  })
}

function slowAndSeveral(figures: Figures): Goal[] {
  return PROMISES.flatMap((mode) => [
    ...['1 ms', '5 ms'].map((variant) =>
      figures.toFastestPeer(`${mode}, 100 B, answers after ${variant}`, { group: 'delay', mode, variant }, 3),
    ),
    figures.toFastestPeer(`${mode}, 100 B, three brokers`, { group: 'brokers', mode, variant: '3 brokers' }, 3),
  ])
}

function far(figures: Figures): Goal[] {
  const gain = (delay: string): number | undefined =>
    ratio(
      ...(['five', 'one'] as const).map((count) =>
        figures.of('ours', { group: 'far', mode: 'async', bytes: 1_000, variant: `${delay}, ${count} in flight` }),
      ),
    )
  const text = (delay: string): string => `one partition, answers after ${delay}: five in flight by one in flight`
  return [
    { text: text('300 ms'), measured: gain('300 ms'), atLeast: 4, unit: '×' },
    { text: text('5 ms'), measured: gain('5 ms'), atLeast: 1, unit: '×' },
  ]
}

function lone(figures: Figures): Goal[] {
  const place: Place = { group: 'lone', mode: 'lone' }
  return [
    {
      text: 'a lone send(): median by that of a raw socket',
      measured: ratio(figures.of('ours', place, 'p50'), figures.of('raw', place, 'p50')),
      atMost: 1.15,
      unit: '×',
    },
  ]
}

function realKafka(figures: Figures): Goal[] {
  return SIZES.flatMap((bytes) => {
    const compared = (metric: Metric) =>
      ratio(
        ...(['ours', 'perf-test'] as const).map((client) =>
          figures.of(client, { group: 'real', mode: 'async', bytes }, metric),
        ),
      )
    const what = `real Kafka, async, ${bytes} B`
    return [
      { text: `${what}: rate by that of Kafka’s Java producer`, measured: compared('rate'), atLeast: 1, unit: '×' },
      {
        text: `${what}: processor time per message by that of Kafka’s Java producer`,
        measured: compared('cpuPerMillion'),
        atMost: 1,
        unit: '×',
      },
    ]
  })
}

function scaling(figures: Figures): Goal[] {
  const growth = (mode: Mode, what: string, largest: string, atMost = 2): Goal => {
    const of = (variant: string) => figures.of('ours', { group: 'scaling', mode, variant }, 'cpuPerMillion')
    const rows = figures.results['scaling']?.rows.filter(({ variant }) => variant.startsWith(`${what}: `)) ?? []
    const least = Math.min(...rows.flatMap(({ variant }) => of(variant) ?? []))
    return {
      text: `${what}, 1 to ${largest}: processor time per message at ${largest} by the least`,
      measured: ratio(of(`${what}: ${largest}`), least),
      atMost,
      unit: '×',
    }
  }
  return [
    growth('single', 'partitions', '10,000'),
    growth('async', 'keys, partitions', '10,000', 2.5),
    growth('single', 'brokers', '100'),
    growth('single', 'outstanding', '100,000'),
  ]
}

function memory(figures: Figures): Goal[] {
  return MODES.flatMap((mode) => {
    const peak = (what: string, variant: string, atMost: number): Goal => {
      const rss = figures.of('ours', { group: 'memory', mode, variant }, 'rssPeak')
      const measured = rss === undefined ? undefined : rss - QUEUE_MB
      return { text: `${mode}, ${what}: peak of memory beyond queueBytes`, measured, atMost, unit: ' MB' }
    }
    const soak = (metric: Metric) => figures.of('ours', { group: 'soak', mode }, metric)
    return [
      peak('bare', '', 130),
      peak('real shape', 'real shape', 150),
      {
        text: `${mode}: most memory in the last eight of ten minutes by that in the first two`,
        measured: ratio(soak('rssLate'), soak('rssEarly')),
        atMost: 1.1,
        unit: '×',
      },
    ]
  })
}

function loopDelay(figures: Figures): Goal[] {
  return SIZES.flatMap((bytes) =>
    MODES.map((mode) => ({
      text: `${mode}, ${bytes} B: p99 of the event loop’s delay`,
      measured: figures.of('ours', { group: 'loop', mode, bytes }, 'loopP99'),
      atMost: 5,
      unit: ' ms',
    })),
  )
}

function endings({ results }: Figures): Goal[] {
  const rows = results['endings']?.rows ?? []
  return rows.flatMap(({ variant, matched, metrics }) => {
    const of = (metric: Metric) => (matched === true ? metrics[metric] : undefined)
    return [
      { text: `${variant}: all told`, measured: of('toldMs'), atMost: 300, unit: ' ms' },
      { text: `${variant}: longest wait of the event loop`, measured: of('loopMax'), atMost: 10, unit: ' ms' },
    ]
  })
}

function size({ results }: Figures): Goal[] {
  const own = results['size']?.rows.find(({ client }) => client === 'ours')?.metrics
  return [
    { text: 'import', measured: own?.importMs, atMost: 40, unit: ' ms' },
    { text: 'installed, without optional packages', measured: own?.installMb, atMost: 3, unit: ' MB' },
  ]
}

function compression(figures: Figures): Goal[] {
  const variants = new Set(figures.results['compression']?.rows.map(({ variant }) => variant))
  return [...variants].flatMap((variant) => {
    const place: Place = { group: 'compression', mode: 'corpus', bytes: 1_000, variant }
    const fastest = Math.max(
      ...(['platformatic', 'librdkafka'] as const).flatMap((client) => figures.of(client, place, 'mbPerSecond') ?? []),
    )
    return [
      {
        text: `${variant}: MB/s by the faster of @platformatic/kafka and librdkafka`,
        measured: ratio(figures.of('ours', place, 'mbPerSecond'), fastest),
        atLeast: 1,
        unit: '×',
      },
      {
        text: `${variant}: p99 of the event loop’s delay`,
        measured: figures.of('ours', place, 'loopP99'),
        atMost: 5,
        unit: ' ms',
      },
    ]
  })
}

/** Infinite is the least of no figures. */
function ratio(a?: number, b?: number): number | undefined {
  return a === undefined || b === undefined || !Number.isFinite(b) ? undefined : a / b
}

function percent(share: number | undefined): number | undefined {
  return share === undefined ? undefined : share * 100
}
