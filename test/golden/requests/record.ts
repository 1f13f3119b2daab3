/**
 * Records what clients that are not ours send to real brokers:
 *
 *   npx tsx test/golden/requests/record.ts [--release 2.8,4]
 *
 * For each release: kcat, the Java producer of the same release, and on 0.8.2 and 0.9 the Scala one too. Writes
 * <client>-to-<release>.json beside this file.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { apiVersions } from '../../../src/protocol/apis/api-versions.js'
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.js'
import { metadata } from '../../../src/protocol/apis/metadata.js'
import { produce } from '../../../src/protocol/apis/produce.js'
import { install } from '../../kafka/support/install.js'
import { runJava } from '../../kafka/support/jvm.js'
import { ensureKcat } from '../../kafka/support/kcat.js'
import { loggingFlags } from '../../kafka/support/logging.js'
import { RealKafka } from '../../kafka/support/real-kafka.js'
import { findRelease, releases, type Release } from '../../kafka/support/releases.js'
import { RecordingProxy, type RecordedRequest } from './recording-proxy.js'
import type { Recording } from './recordings.js'

const topic = 'golden'
const recordedApis = [produce, metadata, apiVersions, initProducerId]
const here = fileURLToPath(new URL('.', import.meta.url))

interface Client {
  readonly name: string
  readonly version: string
  /** Each is a run of its own; `{bootstrap}` is the proxy. */
  readonly runs: readonly (readonly string[])[]
  run(args: readonly string[]): Promise<void>
}

async function clientsFor(release: Release): Promise<Client[]> {
  const libs = await install(release)
  const number = Number(release.version.split('.').slice(0, 2).join('.'))
  const hasMagic2 = release.version.startsWith('0.11') || number >= 1
  const java = async (program: string, args: readonly string[]): Promise<void> => {
    await runJava({ java: '17', libs, main: join(here, program), args, flags: loggingFlags(release, 'tool') })
  }
  const clients: Client[] = [
    await kcat(release, hasMagic2),
    {
      name: 'java',
      version: `kafka-clients ${release.version}`,
      runs: [
        ['{bootstrap}', topic, '1', ...(hasMagic2 ? ['enable.idempotence=false'] : [])],
        ['{bootstrap}', topic, '0', ...(hasMagic2 ? ['enable.idempotence=false'] : [])],
        [
          '{bootstrap}',
          topic,
          'all',
          ...(hasMagic2 ? ['enable.idempotence=true', 'max.in.flight.requests.per.connection=1', 'retries=3'] : []),
        ],
        ['{bootstrap}', topic, '1', 'compression.type=gzip', ...(hasMagic2 ? ['enable.idempotence=false'] : [])],
      ],
      run: async (args) => java('GoldenProducer.java', args),
    },
  ]
  if (release.name === '0.8.2' || release.name === '0.9') {
    clients.push({
      name: 'scala',
      version: `kafka.producer.Producer ${release.version}`,
      runs: [
        ['{bootstrap}', topic, '1'],
        ['{bootstrap}', topic, '0'],
        ['{bootstrap}', topic, '-1', 'compression.codec=gzip'],
      ],
      run: async (args) => java('GoldenScalaProducer.java', args),
    })
  }
  return clients
}

async function kcat(release: Release, hasMagic2: boolean): Promise<Client> {
  await ensureKcat()
  const { stdout } = await promisify(execFile)('kcat', ['-V'])
  const fallback = release.brokerVersionFallback
  const told =
    fallback === undefined ? [] : ['-X', 'api.version.request=false', '-X', `broker.version.fallback=${fallback}`]
  const common = [
    '-P',
    '-b',
    '{bootstrap}',
    '-t',
    topic,
    '-p',
    '0',
    '-Z',
    '-X',
    'client.id=golden',
    '-X',
    'linger.ms=300',
    ...told,
  ]
  const headers = hasMagic2 ? ['-H', 'trace=a1', '-H', 'trace=a2', '-H', 'none', '-H', 'größe-雪-🙂=ß雪🙂'] : []
  return {
    name: 'kcat',
    version: /\(([^)]*)\)/.exec(stdout)?.[1] ?? stdout,
    runs: [
      [...common, '-K', ':', ...headers, '-X', 'acks=1'],
      [...common, '-K', ':', '-X', 'acks=0'],
      [...common, '-K', ':', '-X', 'acks=all', ...(hasMagic2 ? ['-X', 'enable.idempotence=true'] : [])],
      [...common, '-K', ':', '-X', 'acks=1', '-z', 'gzip'],
    ],
    run: async (args) => {
      const running = promisify(execFile)('kcat', [...args])
      // Key and value; with -Z an empty one is null.
      running.child.stdin?.end('key:value\n:no key\ntombstone:\ngröße 雪:grüße 🙂\n:\n')
      await running
    },
  }
}

async function record(client: Client, release: Release, brokerPort: number): Promise<Recording> {
  using proxy = await RecordingProxy.start(brokerPort)
  for (const args of client.runs)
    await client.run(args.map((arg) => arg.replace('{bootstrap}', `127.0.0.1:${proxy.port}`)))
  return {
    client: client.version,
    broker: release.version,
    recorded: new Date().toISOString().slice(0, 10),
    commands: client.runs.map((args) => `${client.name} ${args.join(' ')}`),
    requests: distinct(proxy.requests).flatMap(({ apiKey, version, frame }) => {
      const api = recordedApis.find(({ key }) => key === apiKey)
      return api === undefined ? [] : [{ api: api.name, version, frame: frame.toString('hex') }]
    }),
  }
}

/** Questions that differ only in their correlation ids are kept once. */
function distinct(requests: readonly RecordedRequest[]): RecordedRequest[] {
  const seen = new Set<string>()
  return requests.filter(({ frame }) => {
    const withoutCorrelation = Buffer.concat([frame.subarray(0, 8), frame.subarray(12)]).toString('hex')
    if (seen.has(withoutCorrelation)) return false
    seen.add(withoutCorrelation)
    return true
  })
}

const { values } = parseArgs({ options: { release: { type: 'string' } } })
for (const release of values.release?.split(',').map(findRelease) ?? releases) {
  await using kafka = await RealKafka.start({ release: release.version, topics: { [topic]: {} } })
  for (const client of await clientsFor(release)) {
    const recording = await record(client, release, kafka.brokers[0]?.port ?? 0)
    const file = join(here, `${client.name}-to-${release.version}.json`)
    await writeFile(file, `${JSON.stringify(recording, null, 2)}\n`)
    console.log(`${file}: ${recording.requests.map(({ api, version }) => `${api} v${version}`).join(', ')}`)
  }
}
