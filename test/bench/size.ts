import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CLIENTS, PEER_NAMES, whyMissing, type ClientName } from './clients.js'
import { PEERS, ROOT } from './paths.js'
import { CORES, pinned } from './pinned.js'
import { NATIVE_PEERS, versions, type Programs } from './programs.js'
import { median, type Row } from './results.js'

const IMPORTS = 15
const QUICK_IMPORTS = 3

/** What importing a producer costs, and what installing it leaves on the disk. */
export function measureSizes(programs: Programs, quick: boolean): Row[] {
  const known = versions(programs)
  execFileSync('npm', ['run', 'build'], { cwd: ROOT, stdio: 'ignore' })
  return (['ours', ...PEER_NAMES] as const).map((client) => {
    const row = { client, mode: null, bytes: null, variant: '', matched: null }
    const notRun = whyMissing(client, programs)
    if (notRun !== undefined) return { ...row, metrics: {}, notRun }
    const name = CLIENTS[client]
    // What native packages leave depends on how they came by their code: built here, or fetched.
    const installMb =
      quick || client in NATIVE_PEERS ? undefined : installedMb(client === 'ours' ? pack() : `${name}@${known[name]}`)
    return {
      ...row,
      metrics: {
        importMs: importMs(client, programs, quick ? QUICK_IMPORTS : IMPORTS),
        ...(installMb === undefined ? {} : { installMb }),
      },
    }
  })
}

function importMs(client: ClientName, { node }: Programs, times: number): number {
  const isNative = client in NATIVE_PEERS
  const from = join(PEERS, 'package.json')
  const target = client === 'ours' ? pathToFileURL(join(ROOT, 'dist/index.js')).href : CLIENTS[client]
  const script = `import { createRequire } from 'node:module'; import { pathToFileURL } from 'node:url'
    const target = ${JSON.stringify(target)}
    const url = target.startsWith('file:') ? target : pathToFileURL(createRequire(${JSON.stringify(from)}).resolve(target)).href
    const start = performance.now(); await import(url); console.log(performance.now() - start); process.exit(0)`
  const [file = '', ...args] = pinned(CORES.client, [
    isNative ? process.execPath : node,
    '--input-type=module',
    '--eval',
    script,
  ])
  return median(Array.from({ length: times }, () => Number(execFileSync(file, args, { encoding: 'utf8' }))))
}

/** The package as it would be published. */
function pack(): string {
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', tmpdir()], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as [{ filename: string }]
  return join(tmpdir(), filename)
}

function installedMb(what: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'bench-size-'))
  try {
    execFileSync(
      'npm',
      ['install', '--prefix', folder, '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', what],
      { stdio: 'ignore' },
    )
    return bytesIn(join(folder, 'node_modules')) / 1e6
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function bytesIn(path: string): number {
  if (!existsSync(path)) return 0
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0)
}
