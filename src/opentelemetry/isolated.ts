import { diag } from '@opentelemetry/api'

/** A sampler, a meter or a span processor that throws is no concern of whoever sends. */
export function isolated<T>(tell: () => T): T | undefined {
  try {
    return tell()
  } catch (error) {
    telemetryThrew(error)
    return undefined
  }
}

export function telemetryThrew(error: unknown): void {
  diag.error('kafka-producer: telemetry threw', error)
}
