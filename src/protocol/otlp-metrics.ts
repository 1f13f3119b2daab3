/*
 * OpenTelemetry's MetricsData (opentelemetry/proto/metrics/v1/metrics.proto), as far as PushTelemetry needs it: gauges and
 * monotonic sums of doubles, of one resource without attributes, since brokers know whose they are. Protobuf: a field is
 * its number and kind, and its bytes with their length before them.
 */
import { ByteWriter } from './byte-writer.js'

/** What a metric is: a value as it is now, or a count since its last point, or one since the start. */
export type MetricKind = 'gauge' | 'delta' | 'cumulative'

export interface MetricPoint {
  readonly value: number
  readonly attributes?: Readonly<Record<string, string>>
}

export interface Metric {
  readonly name: string
  readonly kind: MetricKind
  /** Of a count: since when, in milliseconds since 1970. */
  readonly startedAt?: number
  readonly points: readonly MetricPoint[]
}

/** Kinds of fields. */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2

const TEMPORALITIES = { delta: 1, cumulative: 2 } as const

/** @param now in milliseconds since 1970 */
export function encodeMetricsData(metrics: readonly Metric[], now: number): Buffer {
  const message = new Message()
  message.nested(1, (resourceMetrics) => {
    resourceMetrics.nested(1, () => undefined)
    resourceMetrics.nested(2, (scopeMetrics) => {
      for (const metric of metrics) scopeMetrics.nested(2, (field) => writeMetric(field, metric, now))
    })
  })
  return message.bytes()
}

function writeMetric(message: Message, { name, kind, startedAt, points }: Metric, now: number): void {
  message.string(1, name)
  message.nested(kind === 'gauge' ? 5 : 7, (data) => {
    for (const point of points) data.nested(1, (field) => writePoint(field, point, startedAt, now))
    if (kind === 'gauge') return
    data.varint(2, TEMPORALITIES[kind])
    data.varint(3, 1)
  })
}

function writePoint(message: Message, point: MetricPoint, startedAt: number | undefined, now: number): void {
  for (const [key, value] of Object.entries(point.attributes ?? {}))
    message.nested(7, (pair) => {
      pair.string(1, key)
      pair.nested(2, (any) => any.string(1, value))
    })
  if (startedAt !== undefined) message.time(2, startedAt)
  message.time(3, now)
  message.double(4, point.value)
}

/** Little-endian, and so none of {@link ByteWriter}'s numbers but varints. */
class Message {
  private readonly writer = new ByteWriter(512)

  bytes(): Buffer {
    return this.writer.bytes()
  }

  nested(field: number, write: (message: Message) => void): void {
    const message = new Message()
    write(message)
    this.raw(field, message.bytes())
  }

  string(field: number, text: string): void {
    this.raw(field, Buffer.from(text))
  }

  varint(field: number, value: number): void {
    this.tag(field, VARINT)
    this.writer.writeUnsignedVarint(value)
  }

  double(field: number, value: number): void {
    this.tag(field, FIXED64)
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(value)
    this.writer.writeRaw(bytes)
  }

  /** Milliseconds, as nanoseconds. */
  time(field: number, milliseconds: number): void {
    this.tag(field, FIXED64)
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(Math.max(0, Math.floor(milliseconds))) * 1_000_000n)
    this.writer.writeRaw(bytes)
  }

  private raw(field: number, bytes: Uint8Array): void {
    this.tag(field, BYTES)
    this.writer.writeUnsignedVarint(bytes.length)
    this.writer.writeRaw(bytes)
  }

  private tag(field: number, kind: number): void {
    this.writer.writeUnsignedVarint((field << 3) | kind)
  }
}
