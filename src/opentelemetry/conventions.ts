import type { Attributes } from '@opentelemetry/api'

/*
 * The names that OpenTelemetry has for what messaging clients do. They are not stable yet; this is the one file that knows
 * what they were, what they are and what they will be (semantic conventions 1.44 of 2026-08, and the renames of 1.45,
 * semantic-conventions#1892).
 */

export const SEND = 'send'
export const CREATE = 'create'

export const OPERATION_NAME = 'messaging.operation.name'
export const OPERATION_TYPE = 'messaging.operation.type'
export const DESTINATION_NAME = 'messaging.destination.name'
export const PARTITION_ID = 'messaging.destination.partition.id'
export const MESSAGE_COUNT = 'messaging.batch.message_count'
export const CLIENT_ID = 'messaging.client.id'
export const ERROR_TYPE = 'error.type'
export const SERVER_ADDRESS = 'server.address'
export const SERVER_PORT = 'server.port'

/** Where an error says no code. */
export const OTHER_ERROR = '_OTHER'

export const DURATION = {
  name: 'messaging.client.operation.duration',
  options: {
    description: 'Duration of messaging operation initiated by a producer or consumer client.',
    unit: 's',
    advice: {
      explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    },
  },
}

export const SENT_MESSAGES = {
  name: 'messaging.client.sent.messages',
  options: { description: 'Number of messages producer attempted to send to the broker.', unit: '{message}' },
}

/** Names that 1.45 gives others to: before, and after. */
const SYSTEM = { before: 'messaging.system', after: 'messaging.system.name' }
const TOMBSTONE = { before: 'messaging.kafka.message.tombstone', after: 'kafka.message.tombstone' }
const OFFSET = { before: 'messaging.kafka.offset', after: 'kafka.offset' }

type Renamed = typeof SYSTEM

/** Which of the names that change are used: those before, those after, or both. */
export class Conventions {
  private readonly before: boolean
  private readonly after: boolean

  /** @param optIn the value of `OTEL_SEMCONV_STABILITY_OPT_IN`: categories, separated by commas */
  constructor(optIn = '') {
    const categories = optIn.split(',').map((category) => category.trim())
    const both = categories.includes('messaging/dup')
    this.after = both || categories.includes('messaging')
    this.before = both || !this.after
  }

  /** What all spans and metrics of this package have. */
  get system(): Attributes {
    return this.named(SYSTEM, 'kafka')
  }

  get tombstone(): Attributes {
    return this.named(TOMBSTONE, true)
  }

  offset(offset: bigint): Attributes {
    return this.named(OFFSET, Number(offset))
  }

  private named({ before, after }: Renamed, value: string | number | boolean): Attributes {
    return { ...(this.before ? { [before]: value } : {}), ...(this.after ? { [after]: value } : {}) }
  }
}
