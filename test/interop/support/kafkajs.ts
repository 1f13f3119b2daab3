import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { withLock } from '../../kafka/support/install.js'

/** Not its command, which would run the program in a process of its own, that nobody kills. */
const TSX = import.meta.resolve('tsx')

/** Where kafkajs lives, apart from the library. */
export const kafkajsFolder = fileURLToPath(new URL('../kafkajs/', import.meta.url))

/** Brings the client from the registry, once, as its lock file says; the test files that want it run beside each other. */
export async function installKafkajs(): Promise<void> {
  if (isInstalled()) return
  await withLock(fileURLToPath(new URL('../../../node_modules/.kafkajs.lock', import.meta.url)), async () => {
    if (!isInstalled()) await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: kafkajsFolder })
  })
}

/** npm writes down what it has installed last of all, when every file is there. */
function isInstalled(): boolean {
  const installed = `${kafkajsFolder}node_modules/.package-lock.json`
  return existsSync(installed) && versionIn(installed) === versionIn(`${kafkajsFolder}package-lock.json`)
}

function versionIn(lockFile: string): string {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages['node_modules/kafkajs'].version
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
