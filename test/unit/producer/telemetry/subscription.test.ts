import { describe, expect, it } from 'vitest'
import { Subscription } from '../../../../src/producer/telemetry/subscription.js'
import type { GetTelemetrySubscriptionsResponse } from '../../../../src/protocol/apis/get-telemetry-subscriptions.js'
import { ZERO_UUID } from '../../../../src/protocol/byte-writer.js'

/* What a broker says of how it wants metrics is taken as far as it makes sense. */

function subscription(answer: Partial<GetTelemetrySubscriptionsResponse>): Subscription {
  return new Subscription({
    throttleTimeMs: 0,
    errorCode: 0,
    clientInstanceId: ZERO_UUID,
    subscriptionId: 1,
    acceptedCompressionTypes: [],
    pushIntervalMs: 1_000,
    telemetryMaxBytes: 1_000,
    deltaTemporality: true,
    requestedMetrics: [],
    ...answer,
  })
}

describe('a subscription', () => {
  it.each([
    [0, 300_000],
    [-1, 300_000],
    [-(2 ** 31), 300_000],
    [1, 100],
    [100, 100],
    [60_000, 60_000],
    [2 ** 31 - 1, 3_600_000],
  ])('of an interval of %d ms pushes every %d', (pushIntervalMs, intervalMs) => {
    expect(subscription({ pushIntervalMs }).intervalMs).toBe(intervalMs)
  })

  it.each<[readonly string[], boolean]>([
    [[], false],
    [[''], true],
    [['*'], true],
    [['org.apache.kafka.producer.'], true],
    [['org.apache.kafka.producer.record.queue.time.avg'], true],
    [['x', 'org.'], true],
    [['org.apache.kafka.producer.record.queue.time.avg.'], false],
    [['org.apache.kafka.consumer.'], false],
    [['apache'], false],
  ])('to %j wants record.queue.time.avg: %s', (requestedMetrics, expected) => {
    const wanted = subscription({ requestedMetrics }).isRequested('org.apache.kafka.producer.record.queue.time.avg')
    expect(wanted).toBe(expected)
  })

  it.each<[readonly number[], readonly number[], string | undefined]>([
    [[], [], undefined],
    [[1, 2], [], 'gzip'],
    [[2, 1], [], 'snappy'],
    [[0, 1], [], undefined],
    [[-1, 99, 3], [], 'lz4'],
    [[3, 2], [3], 'snappy'],
    [[3], [3], undefined],
  ])('with the codecs %j, and %j refused, uses %s', (acceptedCompressionTypes, refused, expected) => {
    expect(subscription({ acceptedCompressionTypes }).codec(new Set(refused))?.name).toBe(expected)
  })
})
