/*
 * Reads OpenTelemetry's MetricsData by the rules of Protobuf, and not by the writer's code: fields as they come, by their
 * numbers in opentelemetry/proto/metrics/v1/metrics.proto.
 */

interface Field {
  readonly number: number
  readonly value: number | bigint | Buffer
}

export interface ReadPoint {
  readonly value: number
  /** Milliseconds since 1970; 0 where there is none. */
  readonly start: number
  readonly time: number
  readonly attributes: Readonly<Record<string, string>>
}

export interface ReadMetric {
  readonly name: string
  readonly kind: 'gauge' | 'delta' | 'cumulative'
  readonly isMonotonic: boolean
  readonly points: readonly ReadPoint[]
}

/** @throws where the bytes are no Protobuf, or have anything but gauges and sums of doubles */
export function readMetricsData(bytes: Buffer): ReadMetric[] {
  return all(bytes, 1).flatMap((resource) => all(resource, 2).flatMap((scope) => all(scope, 2).map(readMetric)))
}

function readMetric(bytes: Buffer): ReadMetric {
  const [gauge] = all(bytes, 5)
  const [sum] = all(bytes, 7)
  const data = gauge ?? sum
  if (data === undefined) throw new Error('a metric that is neither a gauge nor a sum')
  const temporality = fieldsOf(data).find(({ number }) => number === 2)?.value
  return {
    name: String(all(bytes, 1)[0]),
    kind: gauge !== undefined ? 'gauge' : temporality === 1 ? 'delta' : 'cumulative',
    isMonotonic: fieldsOf(data).some(({ number, value }) => number === 3 && value === 1),
    points: all(data, 1).map(readPoint),
  }
}

function readPoint(bytes: Buffer): ReadPoint {
  const fixed = (wanted: number): bigint => {
    const value = fieldsOf(bytes).find(({ number }) => number === wanted)?.value
    return typeof value === 'bigint' ? value : 0n
  }
  const double = Buffer.alloc(8)
  double.writeBigUInt64LE(fixed(4))
  const attributes = all(bytes, 7).map((pair) => [
    String(all(pair, 1)[0]),
    String(all(all(pair, 2)[0] ?? Buffer.alloc(0), 1)[0]),
  ])
  return {
    value: double.readDoubleLE(),
    start: Number(fixed(2) / 1_000_000n),
    time: Number(fixed(3) / 1_000_000n),
    attributes: Object.fromEntries(attributes) as Record<string, string>,
  }
}

function all(bytes: Buffer, wanted: number): Buffer[] {
  return fieldsOf(bytes).flatMap(({ number, value }) => (number === wanted && Buffer.isBuffer(value) ? [value] : []))
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes.readUInt8(at++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = tag >> 3
    const kind = tag & 7
    if (kind === 0) fields.push({ number, value: varint() })
    else if (kind === 1) fields.push({ number, value: bytes.readBigUInt64LE((at += 8) - 8) })
    else if (kind === 2) {
      const length = varint()
      if (at + length > bytes.length) throw new Error('a field beyond the end')
      fields.push({ number, value: bytes.subarray(at, (at += length)) })
    } else throw new Error(`a field of kind ${kind}`)
  }
  return fields
}
