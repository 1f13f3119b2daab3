/** What capture.ts writes, and how to read it. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Outcome } from './conversation.js'

export type Ranges = Readonly<Record<string, readonly [min: number, max: number]>>

export interface Answers {
  readonly errorCode: number
  /** By API key. */
  readonly ranges: Ranges
  readonly supportedFeatures?: Ranges
  readonly finalizedFeatures?: Ranges
}

export interface Observed extends Outcome {
  readonly answer?: Answers
}

export interface ProduceObserved extends Outcome {
  readonly errorCode?: number
  /** The answer is not one of this version: why. */
  readonly unreadable?: string
}

export interface Capture {
  readonly release: string
  readonly captured: string
  readonly command: string
  /** Asked in version 0. */
  readonly apiVersions: Observed
  /** Asked in the highest version that the broker lists. */
  readonly apiVersionsHighest?: Observed & { readonly version: number }
  /** Asked in versions that the broker does not know, by version. */
  readonly unknownApiVersions: Readonly<Record<string, Observed>>
  /** Produce 0 to 2, whose messages have formats 0 and 1. */
  readonly produceOfOldFormats: Readonly<Record<string, ProduceObserved>>
}

const here = dirname(fileURLToPath(import.meta.url))

export function readCaptures(): Capture[] {
  return readdirSync(here)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(here, name), 'utf8')) as Capture)
}
