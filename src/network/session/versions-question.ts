import { BrokerResponseError } from '../../errors.js'
import { apiVersions, decodeApiVersionsResponse } from '../../protocol/apis/api-versions.js'
import { brokerResponseError, ErrorCodes } from '../../protocol/error-codes.js'
import { ServedVersions } from '../../protocol/versions.js'
import { foreignText } from '../../wording/foreign-text.js'
import type { BrokerConnection } from '../connection/broker-connection.js'
import { LatestUsed } from '../latest-used.js'
import { formatAddress, type BrokerAddress } from '../streams/connect.js'

/**
 * The versions of ApiVersions that a broker is asked in, each once, as long as it hangs up on them. Event Hubs hung up
 * on version 4 and later for a while, instead of saying which it knows.
 */
const QUESTIONS = [apiVersions.maxVersion, 3, 0]
/** The one that every broker since Kafka 0.10 knows. */
export const LAST_QUESTION = QUESTIONS.slice(-1)
/** As many addresses as the largest clusters have brokers. */
const MAX_REMEMBERED = 1_000

/** Which broker of which cluster a connection is to lead to (KIP-1242). */
export interface Destination {
  readonly clusterId: string
  readonly nodeId: number
}

export interface VersionsQuestion {
  readonly softwareVersion: string
  readonly timeoutMs: number
  /** Undefined where the cluster is not known yet, and for addresses that the user gave. */
  readonly destination?: Destination | undefined
}

/** Who answered is another broker, or one of another cluster. */
export class MisroutedError extends BrokerResponseError {
  constructor({ clusterId, nodeId }: Destination) {
    const { REBOOTSTRAP_REQUIRED: code } = ErrorCodes
    super(
      code,
      'REBOOTSTRAP_REQUIRED',
      `it is not broker ${nodeId} of the cluster '${foreignText(clusterId)}', whose address the metadata has it for (REBOOTSTRAP_REQUIRED); the bootstrap list is asked where that is now`,
      true,
    )
  }
}

/** In which versions one broker is asked, one after the other. */
export interface VersionsToAsk {
  readonly versions: readonly number[]
  /**
   * It was hung up on in all newer ones. One that was only being stopped, or had no room for a connection, must not go
   * without what newer ones tell for as long as this process lives: only twice in a row it is the version.
   */
  readonly answered: (version: number) => void
}

/** In which versions brokers are asked for what they serve. */
export class VersionsQuestions {
  /** What was answered by brokers that hang up on newer ones, by address. */
  private readonly answeredIn = new LatestUsed<string, number>(MAX_REMEMBERED)
  /** What was answered by those that have hung up on newer ones but once, which may have been chance. */
  private readonly answeredOnceIn = new LatestUsed<string, number>(MAX_REMEMBERED)

  /** What is remembered is forgotten, unless it is answered anew. */
  for(address: BrokerAddress): VersionsToAsk {
    const name = formatAddress(address)
    const newest = this.answeredIn.get(name) ?? apiVersions.maxVersion
    // By those that were begun before: of several at once each may meet the same chance.
    const before = this.answeredOnceIn.get(name)
    this.answeredIn.delete(name)
    return {
      versions: QUESTIONS.filter((version) => version <= newest),
      answered: (version) => {
        if (version === apiVersions.maxVersion) this.answeredOnceIn.delete(name)
        else (before === version ? this.answeredIn : this.answeredOnceIn).set(name, version)
      },
    }
  }
}

/**
 * What a broker serves, asked for in `newest` or in the newest version that it then says it knows.
 *
 * @param onAnswer called with every answer
 */
export async function askVersions(
  connection: BrokerConnection,
  newest: number,
  { softwareVersion, timeoutMs, destination }: VersionsQuestion,
  onAnswer: () => void,
): Promise<ServedVersions> {
  const question = {
    clientSoftwareName: 'kafka-producer',
    clientSoftwareVersion: softwareVersion,
    clusterId: destination?.clusterId ?? null,
    nodeId: destination?.nodeId ?? -1,
  }
  let version = newest
  for (;;) {
    const asked = version
    const answer = await connection.request(apiVersions, asked, question, { timeoutMs }, (frame) =>
      decodeApiVersionsResponse(asked, frame),
    )
    onAnswer()
    const ranges = new Map(answer.apiKeys.map((range) => [range.apiKey, range]))
    const source = `the answer of ${formatAddress(connection.address)} to ApiVersions v${asked}`
    const features = new Map(answer.finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]))
    const served = new ServedVersions(ranges, source, features)
    if (answer.errorCode === ErrorCodes.NONE) return served
    if (answer.errorCode === ErrorCodes.REBOOTSTRAP_REQUIRED && destination !== undefined)
      throw new MisroutedError(destination)
    if (answer.errorCode !== ErrorCodes.UNSUPPORTED_VERSION || asked === 0)
      throw brokerResponseError(answer.errorCode, 'ApiVersions')
    // The answer names the versions of ApiVersions itself only from Kafka 2.4 on (KIP-511).
    version = served.has(apiVersions) ? Math.min(served.highest(apiVersions), asked - 1) : 0
  }
}
