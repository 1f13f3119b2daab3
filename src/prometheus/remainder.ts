import type { Distribution, Reading, Row } from './metrics.js'

/** Topics and brokers that are told apart, as with a producer; the others are under `'*'`. */
const MAX_NAMED = 1_000
const OTHERS = '*'

/** What a metric counts in one reading, by the value of its label; `''` where it has none. */
export function valuesIn<Value>(row: Row<Value>, reading: Reading): (readonly [label: string, value: Value])[] {
  return row.label === undefined ? [['', row.read(reading)]] : Object.entries(row.read(reading))
}

/**
 * What the producers of one client id came to that are no longer asked, while others of that id are: figures that only
 * grow must not shrink, or Prometheus takes them to have begun anew, and all that is left of them to have happened since.
 */
export class Remainder {
  private readonly readings = new WeakMap<object, Reading>()
  private readonly counts = new Map<Row<number>, Map<string, number>>()
  private readonly distributions = new Map<Row<Distribution>, Map<string, Distribution>>()

  constructor(
    private readonly counters: readonly Row<number>[],
    private readonly summaries: readonly Row<Distribution>[],
  ) {}

  keep(producer: object, reading: Reading): void {
    this.readings.set(producer, reading)
    this.add(reading, 1)
  }

  /** What a producer has forgotten between two readings. */
  keepGone(before: Reading, after: Reading): void {
    this.add(before, 1, after)
  }

  /** It is asked itself again. */
  giveBack(producer: object): void {
    const reading = this.readings.get(producer)
    if (reading === undefined) return
    this.readings.delete(producer)
    this.add(reading, -1)
  }

  countsOf(row: Row<number>): Iterable<readonly [label: string, value: number]> {
    return this.counts.get(row) ?? []
  }

  /** Without quantiles, which are of what there is. */
  distributionsOf(row: Row<Distribution>): Iterable<readonly [label: string, value: Distribution]> {
    return this.distributions.get(row) ?? []
  }

  /** @param but what this one counts on from is not added */
  private add(reading: Reading, sign: 1 | -1, but?: Reading): void {
    for (const row of this.counters)
      addUp(this.counts, row, reading, but, Number, (before = 0, value) => before + sign * value)
    for (const row of this.summaries)
      addUp(this.distributions, row, reading, but, countOf, (before, { count, sum, perUnit }) => ({
        count: (before?.count ?? 0) + sign * count,
        sum: (before?.sum ?? 0) + sign * sum,
        perUnit,
        quantiles: {},
      }))
  }
}

const countOf = ({ count }: Distribution): number => count

function addUp<Value>(
  sums: Map<Row<Value>, Map<string, Value>>,
  row: Row<Value>,
  reading: Reading,
  but: Reading | undefined,
  count: (value: Value) => number,
  sum: (before: Value | undefined, value: Value) => Value,
): void {
  const named = sums.get(row) ?? new Map<string, Value>()
  sums.set(row, named)
  const later = new Map(but && valuesIn(row, but))
  for (const [label, value] of valuesIn(row, reading)) {
    const left = later.get(label)
    // What has become less was forgotten, and has begun anew.
    if (left !== undefined && count(left) >= count(value)) continue
    const name = named.has(label) || named.size < MAX_NAMED ? label : OTHERS
    named.set(name, sum(named.get(name), value))
  }
}
