/**
 * Real brokers by hand:
 *
 *   npm run kafka -- start 4 [--brokers 3] [--config key=value ...] [--java 25]
 *   npm run kafka -- list
 *   npm run kafka -- stop [id|all]
 *
 * `start` leaves the brokers running and prints their addresses, alone, on the last line of stdout.
 */
import { execFile } from 'node:child_process'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { isAlive, kafkaDir } from './install.js'
import { detachedMarker, RealKafka } from './real-kafka.js'
import { releases } from './releases.js'

const usage = `Usage:
  npm run kafka -- start <release> [--brokers 1|3] [--config key=value ...] [--java 17|25]
  npm run kafka -- list
  npm run kafka -- stop [id|all]
Releases: ${releases.map((release) => release.name).join(', ')}.`

const runDir = join(kafkaDir, 'run')

class UsageError extends Error {}

async function main(args: string[]): Promise<void> {
  const [command, ...rest] = args
  if (command === '--help' || command === '-h') console.log(usage)
  else if (command === 'start') await start(rest)
  else if (command === 'list' && rest.length === 0) await list()
  else if (command === 'stop' && rest.length <= 1) await stop(rest[0])
  else throw new UsageError(command === undefined ? 'A command is missing.' : `Unknown: ${args.join(' ')}`)
}

async function start(args: string[]): Promise<void> {
  const { values, positionals } = parseStart(args)
  const [release, ...excess] = positionals
  if (release === undefined || excess.length > 0) throw new UsageError('start takes one release.')
  const { brokers, java } = values
  if (brokers !== '1' && brokers !== '3') throw new UsageError('--brokers is 1 or 3.')
  if (java !== '17' && java !== '25') throw new UsageError('--java is 17 or 25.')
  const kafka = await RealKafka.start({
    release,
    brokers: brokers === '1' ? 1 : 3,
    java,
    config: parseConfig(values.config),
    detached: true,
  })
  console.log(`Kafka ${kafka.release.version} runs as ${kafka.id}; logs are in ${join(kafka.dir, 'logs')}`)
  console.log(kafka.bootstrap)
}

function parseStart(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        brokers: { type: 'string', default: '1' },
        config: { type: 'string', multiple: true, default: [] },
        java: { type: 'string', default: '17' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function parseConfig(settings: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    settings.map((setting) => {
      const equals = setting.indexOf('=')
      if (equals < 1) throw new UsageError(`--config takes key=value, not "${setting}".`)
      return [setting.slice(0, equals), setting.slice(equals + 1)]
    }),
  )
}

interface Run {
  readonly id: string
  readonly bootstrap: string
  readonly pids: readonly number[]
}

/** A server's command line names a file in the folder of its run: that is the only record of pids that cannot be out of date. */
async function runs(): Promise<Run[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,args='], { maxBuffer: 1 << 26 })
  const found: Run[] = []
  for (const id of await readdir(runDir).catch(() => [])) {
    const bootstrap = await readFile(join(runDir, id, detachedMarker), 'utf8').catch(() => undefined)
    if (bootstrap === undefined) continue
    const lines = stdout.split('\n').filter((line) => line.includes(`${join(runDir, id)}/`) && line.includes('java'))
    found.push({ id, bootstrap, pids: lines.map((line) => Number.parseInt(line, 10)) })
  }
  return found.filter((run) => run.pids.length > 0)
}

async function list(): Promise<void> {
  for (const run of await runs()) console.log(`${run.id}  ${run.bootstrap}  pids ${run.pids.join(' ')}`)
}

async function stop(which: string | undefined): Promise<void> {
  const all = await runs()
  if (which === undefined && all.length > 1)
    throw new UsageError(`Several run; which one? ${all.map((run) => run.id).join(', ')}, or all.`)
  const chosen = all.filter((run) => which === undefined || which === 'all' || which === run.id)
  if (chosen.length === 0 && which !== 'all')
    throw new UsageError(which === undefined ? 'None is running.' : `No cluster ${which} is running.`)
  for (const run of chosen) {
    for (const pid of run.pids) process.kill(pid, 'SIGKILL')
    while (run.pids.some(isAlive)) await delay(20)
    await rm(join(runDir, run.id, 'data'), { recursive: true, force: true })
    console.log(`Stopped ${run.id}`)
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof UsageError ? `${error.message}\n${usage}` : (error as Error).message)
  process.exitCode = 1
})
