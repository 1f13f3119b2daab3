/**
 * Asks a real broker of each release what it serves, and watches what it does with questions it does not know:
 *
 *   npm run capture [-- --release 2.8,4]
 *
 * Writes <version>.json beside this file, raw bytes included. Needs what `npm run test:kafka` needs.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  apiVersions,
  decodeApiVersionsResponse,
  type ApiVersionsResponse,
} from '../../../src/protocol/apis/api-versions.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { ZERO_UUID } from '../../../src/protocol/byte-writer.js'
import { decodeResponseFrame } from '../../../src/protocol/frame.js'
import { RealKafka } from '../../kafka/support/real-kafka.js'
import { findRelease, releases, type Release } from '../../kafka/support/releases.js'
import { encodeRequestFrame } from '../../support/frames.js'
import { messageSet } from '../../unit/protocol/records/support.js'
import type { Answers, Capture, Observed, ProduceObserved } from './captures.js'
import { ask, type Outcome } from './conversation.js'

const topic = 'captured'
const correlationId = 7
const clientId = 'capture'

async function capture(release: Release): Promise<Capture> {
  await using kafka = await RealKafka.start({ release: release.version, topics: { [topic]: {} } })
  const port = kafka.brokers[0]?.port ?? 0
  const first = await askVersions(port, 0)
  const highest = Math.max(0, ...(first.answer?.ranges['18'] ?? []))
  // One more than it knows, and the newest that a client may start with.
  const unknown =
    first.answer === undefined ? [] : [...new Set([highest + 1, Math.max(highest + 1, apiVersions.maxVersion)])]
  const produced: Record<string, ProduceObserved> = {}
  for (const version of [0, 1, 2]) produced[version] = await askProduce(port, version)
  return {
    release: release.version,
    captured: new Date().toISOString().slice(0, 10),
    command: `npm run capture -- --release ${release.name}`,
    apiVersions: first,
    ...(highest === 0 ? {} : { apiVersionsHighest: { version: highest, ...(await askVersions(port, highest)) } }),
    unknownApiVersions: Object.fromEntries(
      await Promise.all(unknown.map(async (version) => [version, await askVersions(port, version)] as const)),
    ),
    produceOfOldFormats: produced,
  }
}

async function askVersions(port: number, version: number): Promise<Observed> {
  const question = { clientSoftwareName: 'capture', clientSoftwareVersion: '1', clusterId: null, nodeId: -1 }
  // Whether the connection is still good afterwards: with the one request that every broker answers.
  const metadataOfAll = {
    topics: null,
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const next = encodeRequestFrame(metadata, 0, correlationId + 1, clientId, metadataOfAll)
  const outcome = await ask(port, encodeRequestFrame(apiVersions, version, correlationId, clientId, question), next)
  return {
    ...outcome,
    ...(outcome.response === undefined
      ? {}
      : { answer: answersOf(decodeApiVersionsResponse(version, frameOf(outcome))) }),
  }
}

function answersOf(response: ApiVersionsResponse): Answers {
  const { errorCode, apiKeys, supportedFeatures, finalizedFeatures } = response
  return {
    errorCode,
    ranges: Object.fromEntries(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion] as const]),
    ),
    ...(supportedFeatures.length === 0
      ? {}
      : {
          supportedFeatures: Object.fromEntries(
            supportedFeatures.map(({ name, minVersion, maxVersion }) => [name, [minVersion, maxVersion] as const]),
          ),
        }),
    ...(finalizedFeatures.length === 0
      ? {}
      : {
          finalizedFeatures: Object.fromEntries(
            finalizedFeatures.map(({ name, minVersionLevel, maxVersionLevel }) => [
              name,
              [minVersionLevel, maxVersionLevel] as const,
            ]),
          ),
        }),
  }
}

async function askProduce(port: number, version: number): Promise<ProduceObserved> {
  const value = `Produce v${version}`
  const records = messageSet([{ key: null, value, headers: null, timestamp: 1_600_000_000_000 }], version === 2 ? 1 : 0)
  const request = {
    transactionalId: null,
    acks: 1,
    timeoutMs: 1000,
    topicData: [{ name: topic, topicId: ZERO_UUID, partitionData: [{ index: 0, records }] }],
  }
  const outcome = await ask(port, encodeRequestFrame(produce, version, correlationId, clientId, request))
  if (outcome.response === undefined) return outcome
  // A version that is refused is answered in a form of its own: the bytes stay, unread.
  try {
    const [partition] = decodeResponseFrame(produce, version, frameOf(outcome)).responses[0]?.partitionResponses ?? []
    return { ...outcome, ...(partition === undefined ? {} : { errorCode: partition.errorCode }) }
  } catch (error) {
    return { ...outcome, unreadable: (error as Error).message }
  }
}

function frameOf({ response = '' }: Outcome): Buffer {
  return Buffer.from(response, 'hex').subarray(4)
}

function toText(value: Capture): string {
  return `${JSON.stringify(value, null, 2).replace(/\[\s+(-?\d+),\s+(-?\d+)\s+\]/g, '[$1, $2]')}\n`
}

const { values } = parseArgs({ options: { release: { type: 'string' } } })
for (const release of values.release?.split(',').map(findRelease) ?? releases) {
  const file = new URL(`${release.version}.json`, import.meta.url)
  await writeFile(file, toText(await capture(release)))
  console.log(file.pathname)
}
