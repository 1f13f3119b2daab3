import { parseArgs } from 'node:util'
import type { EmbeddedKafkaOptions, EmbeddedTopicOptions } from '../testing/index.js'
import { nearestName } from '../wording/nearest-name.js'

export const USAGE = `Usage: kafka-producer broker [options]

Runs a Kafka cluster in this process, in memory, for tests and demos, until it is interrupted.

  --port <n>                       port of the first broker; the others have those after it; 0: free ones (default: 9092)
  --brokers <n>                    how many brokers (default: 1)
  --host <address>                 address to listen on and to tell clients (default: 127.0.0.1)
  --release <version>              Kafka release to play: 0.8.2, 0.9, 0.10.2, 0.11, 1.1, 2.8, 3.9, 4 (default: 4)
  --topic <name>[:<partitions>]    topic to begin with; may be given several times
  --no-auto-create                 topics are not created just because a client asks for them
  --verbose                        tell of each request that a broker hung up on, and why
  --help                           this text
  --version                        of this package
`

/** Thrown for a command line that makes no sense; the message says why. */
export class UsageError extends Error {}

const HIGHEST_PORT = 65_535

const OPTIONS = {
  port: { type: 'string', default: '9092' },
  brokers: { type: 'string', default: '1' },
  host: { type: 'string', default: '127.0.0.1' },
  release: { type: 'string' },
  topic: { type: 'string', multiple: true, default: [] as string[] },
  'no-auto-create': { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', short: 'v', default: false },
} as const

/** What the command line asks for: `'help'`, `'version'`, or a cluster of these options. */
export function parseCommandLine(args: readonly string[]): 'help' | 'version' | EmbeddedKafkaOptions {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  if (values.version) return 'version'
  const [command, ...others] = positionals
  if (command === undefined) throw new UsageError('a command is missing')
  if (command !== 'broker') throw new UsageError(`there is no command '${command}'${didYouMean(command, ['broker'])}`)
  if (others.length > 0) throw new UsageError(`'${others.join(' ')}' is too much`)
  const brokers = integer('--brokers', values.brokers, 1, 100)
  const port = integer('--port', values.port, 0, HIGHEST_PORT)
  if (port + brokers - 1 > HIGHEST_PORT)
    throw new UsageError(
      `--port ${port} leaves no ports for ${brokers} brokers: the highest there is is ${HIGHEST_PORT}`,
    )
  const topics = values.topic.map(topicOf)
  const names = new Set<string>()
  for (const [name] of topics) {
    if (names.has(name)) throw new UsageError(`--topic ${name} is given twice`)
    names.add(name)
  }
  return {
    brokers,
    host: values.host,
    ports: Array.from({ length: brokers }, (_, index) => (port === 0 ? 0 : port + index)),
    topics: Object.fromEntries(topics),
    autoCreateTopics: !values['no-auto-create'],
    ...(values.verbose ? { onHangUp: ({ hungUp }) => process.stderr.write(`${hungUp}\n`) } : {}),
    ...(values.release === undefined ? {} : { release: values.release }),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    // Node adds how to give a positional argument that begins with a dash.
    const [, unknown] = /^Unknown option '(--?[^']+)'/.exec((error as Error).message) ?? []
    if (unknown === undefined) throw new UsageError((error as Error).message)
    const names = Object.keys(OPTIONS).map((name) => `--${name}`)
    throw new UsageError(`there is no option '${unknown}'${didYouMean(unknown, names)}`)
  }
}

function didYouMean(given: string, names: readonly string[]): string {
  const near = nearestName(given, names)
  return near === undefined ? '' : `: did you mean '${near}'?`
}

function integer(option: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new UsageError(`${option} must be an integer from ${min} to ${max}, not '${text}'`)
}

function topicOf(text: string): [string, EmbeddedTopicOptions] {
  const [, name = '', partitions = '1'] = /^([^:]+)(?::(.*))?$/.exec(text) ?? []
  if (name === '') throw new UsageError(`--topic must be a name, or a name and a number as in orders:6, not '${text}'`)
  return [name, { partitions: integer(`--topic ${name}`, partitions, 1, 100_000) }]
}
