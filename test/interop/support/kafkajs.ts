import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Not its command, which would run the program in a process of its own, that nobody kills. */
const TSX = import.meta.resolve('tsx')

/** Where kafkajs lives, apart from the library. */
export const kafkajsFolder = fileURLToPath(new URL('../kafkajs/', import.meta.url))

/** Brings the client from the registry, once, as its lock file says. */
export async function installKafkajs(): Promise<void> {
  const wanted = JSON.parse(readFileSync(`${kafkajsFolder}package.json`, 'utf8')).dependencies.kafkajs
  const manifest = `${kafkajsFolder}node_modules/kafkajs/package.json`
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === wanted) return
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: kafkajsFolder })
}

/** What the program below is known by to the brokers. */
export const TRANSFORMER_ID = 'transformer-1'

/** The program that reads `in` with kafkajs and writes `out` in transactions, a line for each that is committed, until it is killed. */
export function startTransformer(bootstrap: string): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, ['--import', TSX, 'transform.mts', bootstrap, TRANSFORMER_ID], {
    cwd: kafkajsFolder,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}
