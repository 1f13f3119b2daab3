/**
 * What every test file here starts with: the release that `npm run test:kafka` names, one cluster for the whole file, and
 * producers that are closed when their test ends.
 */
import { afterAll, beforeAll, onTestFinished, type TestContext } from 'vitest'
import { Producer, type ProducerOptions } from '../../../src/index.js'
import { whyLacking, type Feature } from './features.js'
import type { JavaVersion } from './jvm.js'
import { RealKafka, type StartOptions } from './real-kafka.js'
import { findRelease, type Release } from './releases.js'

export const release: Release = findRelease(process.env['KAFKA_RELEASE'] ?? '4')

export type Bytes = Uint8Array | string | null
export type TestProducer = Producer<Bytes, Bytes, 'sync'>

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test has nothing to prove on this release. */
    reason?: string
  }
}

export interface Cluster {
  readonly kafka: RealKafka
  /** Closed at the end of the test. Told the version of brokers that would not say it themselves, unless `asking`. */
  producer(options?: Partial<ProducerOptions<Bytes, Bytes, 'sync'>>, how?: { asking?: boolean }): TestProducer
}

/** One start per test file. */
export function cluster(options: Omit<StartOptions, 'release'>): Cluster {
  let kafka: RealKafka | undefined
  beforeAll(async () => {
    kafka = await RealKafka.start({
      ...options,
      release: release.version,
      java: (process.env['KAFKA_JAVA'] ?? '17') as JavaVersion,
    })
  })
  afterAll(async () => kafka?.stop())
  const running = (): RealKafka => {
    if (kafka === undefined) throw new Error('No cluster was started.')
    return kafka
  }
  return {
    get kafka() {
      return running()
    },
    producer(own = {}, { asking = false } = {}) {
      // A 0.9 broker never answers the question for its versions: finding that out takes seconds per producer and broker.
      const told = release.name === '0.9' && !asking ? { brokerVersion: '0.9' } : {}
      const producer = new Producer<Bytes, Bytes, 'sync'>({ brokers: running().bootstrap, ...told, ...own })
      onTestFinished(async () => {
        await producer.close({ timeoutMs: 0 })
      })
      return producer
    },
  }
}

/** Leaves the test out where the release lacks what it is about; the reason goes into the report. */
export function needs(context: TestContext, feature: Feature): void {
  leaveOutIf(context, whyLacking(release.version, feature))
}

/** The opposite: the test is about what happens where the feature is lacking. */
export function needsLackOf(context: TestContext, feature: Feature): void {
  leaveOutIf(context, whyLacking(release.version, feature) === undefined ? `has ${feature}` : undefined)
}

export function leaveOutIf({ task, skip }: TestContext, reason: string | undefined): void {
  if (reason === undefined) return
  task.meta.reason = reason
  skip(reason)
}

let topics = 0

/** A name that no other test of this run has. */
export function newTopic(about: string): string {
  topics++
  return `${about}-${topics}`
}
