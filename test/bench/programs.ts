/** What the benchmark runs and where it comes from: built or installed where it is missing, if that may take its time. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { installTools } from '../kafka/support/install.js'
import { javaHome } from '../kafka/support/jvm.js'
import { loggingFlags } from '../kafka/support/logging.js'
import { findRelease } from '../kafka/support/releases.js'
import { nodeBinary } from '../node/binary.js'
import { BENCH, BUILD, PEERS, ROOT, WORK } from './paths.js'

/** The Node that all clients run on, but for those whose native code is built for the Node that runs the benchmark. */
const NODE = '24'
export const KAFKA = findRelease('4')
export const NATIVE_PEERS = { confluent: '@confluentinc/kafka-javascript', 'node-rdkafka': 'node-rdkafka' } as const
const C_PROGRAM = join(WORK, 'librdkafka')
const PERF_TEST = 'org.apache.kafka.tools.ProducerPerformance'
const JAVA = '17'

export interface Programs {
  readonly node: string
  /** Whether that Node has zstd, which came with 22.15 and 23.8. */
  readonly hasZstd: boolean
  /** Undefined where there is none, for the reason below. */
  readonly librdkafka: string | undefined
  readonly perfTest: readonly string[] | undefined
  /** Why what is missing is missing, by its name. */
  readonly missing: Readonly<Record<string, string>>
}

/** `quick`: nothing is fetched from anywhere. */
export async function prepare(quick: boolean): Promise<Programs> {
  const missing: Record<string, string> = {}
  const attempt = async <T>(name: string, make: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await make()
    } catch (error) {
      missing[name] = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
      return undefined
    }
  }
  mkdirSync(WORK, { recursive: true })
  rmSync(BUILD, { recursive: true, force: true })
  // As it is delivered: what runs TypeScript as it loads it leaves marks in the code, and those cost.
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', BENCH], { stdio: 'inherit' })
  if (!quick && !existsSync(join(PEERS, 'node_modules'))) installPeers()
  const node = quick && !existsSync(join(ROOT, 'node_modules/.cache/node', NODE)) ? process.execPath : nodeBinary(NODE)
  for (const name of Object.keys(manifest(PEERS).dependencies)) {
    const why = whyNotUsable(name, node)
    if (why !== undefined) missing[name] = why
  }
  for (const name of Object.values(NATIVE_PEERS)) {
    if (!existsSync(join(PEERS, 'node_modules', name, 'build/Release')))
      missing[name] = 'its native code is not built here'
  }
  const librdkafka = await attempt('librdkafka', compileC)
  const perfTest = await attempt('perf-test', () => javaPerfTest(quick))
  const hasZstd =
    execFileSync(node, ['--print', "'zstdCompressSync' in require('node:zlib')"], { encoding: 'utf8' }).trim() ===
    'true'
  return { node, hasZstd, librdkafka, perfTest, missing }
}

function installPeers(): void {
  console.log('Installing what to compare with; building the native ones takes minutes')
  // An install script that fails would undo the whole installation.
  execFileSync('npm', ['ci', '--prefix', PEERS, '--ignore-scripts', '--no-audit', '--no-fund'], { stdio: 'inherit' })
  for (const name of Object.values(NATIVE_PEERS)) {
    try {
      // Linked with what the system has of zlib and OpenSSL, instead of fetching and building those, too.
      const env = { ...process.env, CKJS_LINKING: 'dynamic' }
      execFileSync('npm', ['rebuild', name, '--prefix', PEERS, '--foreground-scripts'], { stdio: 'pipe', env })
    } catch (error) {
      console.log(`${name} can't be built here: ${(error as Error).message.split('\n')[0]}`)
    }
  }
}

function whyNotUsable(name: string, node: string): string | undefined {
  const folder = join(PEERS, 'node_modules', name)
  if (!existsSync(folder)) return 'not installed'
  const needed = manifest(folder).engines?.node
  const major = (text = '') => Number(/\d+/.exec(text)?.[0] ?? 0)
  const isNewEnough = major(needed) <= major(execFileSync(node, ['--version'], { encoding: 'utf8' }))
  return isNewEnough ? undefined : `needs Node ${needed}`
}

function compileC(): string {
  try {
    execFileSync(
      'gcc',
      ['-O2', '-Wall', '-Wextra', '-o', C_PROGRAM, join(BENCH, 'clients/librdkafka.c'), '-lrdkafka'],
      { stdio: 'pipe' },
    )
  } catch (error) {
    throw new Error("gcc and librdkafka's headers are needed (Debian: gcc, librdkafka-dev)", { cause: error })
  }
  return C_PROGRAM
}

/** The command of Kafka's producer-perf-test, with the flags of its own script. */
async function javaPerfTest(quick: boolean): Promise<string[]> {
  if (quick) throw new Error('not part of a quick run')
  const flags = [
    '-server',
    '-Xmx512M',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=20',
    '-XX:InitiatingHeapOccupancyPercent=35',
  ]
  return [
    join(javaHome(JAVA), 'bin/java'),
    ...flags,
    ...loggingFlags(KAFKA, 'tool'),
    '-cp',
    join(await installTools(KAFKA), '*'),
    PERF_TEST,
  ]
}

/** Of everything that takes part, for the report. */
export function versions({ node, librdkafka, perfTest }: Programs): Record<string, string> {
  const output = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', cwd: ROOT }).trim()
  const found: Record<string, string> = {
    'kafka-producer': `${versionOf(ROOT)} (${output('git', 'describe', '--always', '--dirty')})`,
    Node: output(node, '--version'),
    'Node of native packages': process.version,
  }
  for (const name of Object.keys(manifest(PEERS).dependencies).concat(Object.values(NATIVE_PEERS))) {
    const folder = join(PEERS, 'node_modules', name)
    if (existsSync(folder)) found[name] = versionOf(folder)
  }
  if (librdkafka !== undefined) found['librdkafka (C)'] = output(librdkafka, '--version')
  if (perfTest !== undefined)
    found['Kafka (Java)'] = KAFKA.tools?.find((tool) => tool.includes('kafka-tools'))?.split(':')[2] ?? KAFKA.version
  return found
}

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly engines?: { readonly node?: string }
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

function versionOf(folder: string): string {
  return manifest(folder).version.replace(/^v/, '')
}

export const CLIENT_PROGRAM = join(BUILD, 'test/bench/client.js')
export const ENDINGS_PROGRAM = join(BUILD, 'test/bench/endings-client.js')
export const OVERLOAD_PROGRAM = join(BUILD, 'test/bench/overload-client.js')
export const SINK_PROGRAM = join(BUILD, 'test/bench/sink/sink.js')
export const WATCHING_PROGRAM = join(BUILD, 'test/bench/watching-client.js')
