import { errorCode } from '../protocol/error-codes.js'
import { nearestName } from '../wording/nearest-name.js'
import { shown } from '../wording/shown.js'
import { refused } from './checks.js'
import { EmbeddedKafkaError } from './errors.js'

const LAST_CODE = 255

const BY_NAME: ReadonlyMap<string, number> = new Map(
  Array.from({ length: LAST_CODE + 2 }, (_, index) => index - 1)
    .map((code) => [errorCode(code).name, code] as const)
    .filter(([name]) => !name.startsWith('UNKNOWN_ERROR_CODE_')),
)

/** Kafka's number for an error that is given by its name; a number stays what it is. */
export function codeOf(error: string | number): number {
  if (typeof error === 'number') return error
  const code = BY_NAME.get(error)
  if (code !== undefined) return code
  if (typeof error !== 'string') throw refused('error', error, "Kafka's name or number of an error")
  const near = nearestName(error, [...BY_NAME.keys()])
  const hint = near === undefined ? '' : `: did you mean '${near}'?`
  throw new EmbeddedKafkaError('UNKNOWN_ERROR_NAME', `Kafka has no error named ${shown(error)}${hint}`)
}
