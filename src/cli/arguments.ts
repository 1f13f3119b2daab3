import { parseArgs } from 'node:util'
import type { EmbeddedKafkaOptions, EmbeddedTopicOptions } from '../testing/index.js'

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
`

/** Thrown for a command line that makes no sense; the message says why. */
export class UsageError extends Error {}

/** What the command line asks for: `'help'`, or a cluster of these options. */
export function parseCommandLine(args: readonly string[]): 'help' | EmbeddedKafkaOptions {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  const [command, ...others] = positionals
  if (command !== 'broker')
    throw new UsageError(command === undefined ? 'a command is missing' : `there is no command '${command}'`)
  if (others.length > 0) throw new UsageError(`'${others.join(' ')}' is too much`)
  const port = integer('--port', values.port, 0, 65_535)
  const brokers = integer('--brokers', values.brokers, 1, 100)
  return {
    brokers,
    host: values.host,
    ports: Array.from({ length: brokers }, (_, index) => (port === 0 ? 0 : port + index)),
    topics: Object.fromEntries(values.topic.map(topicOf)),
    autoCreateTopics: !values['no-auto-create'],
    ...(values.verbose ? { onHangUp: ({ hungUp }) => process.stderr.write(`${hungUp}\n`) } : {}),
    ...(values.release === undefined ? {} : { release: values.release }),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: 'string', default: '9092' },
        brokers: { type: 'string', default: '1' },
        host: { type: 'string', default: '127.0.0.1' },
        release: { type: 'string' },
        topic: { type: 'string', multiple: true, default: [] },
        'no-auto-create': { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
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
