import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Of the project; this module runs from its source and from where it is built to. */
export const ROOT = find(dirname(fileURLToPath(import.meta.url)))
export const BENCH = join(ROOT, 'test', 'bench')
export const PEERS = join(BENCH, 'peers')
export const REPORTS = join(ROOT, '.reports')
export const RESULTS = join(REPORTS, 'bench.json')
/** Of a quick run, which is not to be shown. */
export const QUICK_RESULTS = join(REPORTS, 'bench-quick.json')
/** Compiled programs and corpora. */
export const WORK = join(REPORTS, 'bench')
export const BUILD = join(WORK, 'build')

function find(from: string): string {
  return existsSync(join(from, 'package-lock.json')) ? from : find(dirname(from))
}
