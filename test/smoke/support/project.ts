import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join, parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { describe, inject } from 'vitest'
import { run } from './run.js'

const FIXTURE = fileURLToPath(new URL('../fixture/', import.meta.url))
const NPM_INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error']

/** What fixture/observed.ts needs: the optional peers, and an SDK for one of them. */
export const PEERS = [
  '@opentelemetry/api@1.9.1',
  '@opentelemetry/sdk-metrics@2.12.1',
  '@opentelemetry/sdk-trace-base@2.12.1',
  'prom-client@15.1.3',
]

/** For tests of what is installed: not run where no registry can be reached. */
export const describeInstalled = inject('isRegistryReachable') ? describe : describe.skip

/** What is expected of `exercise()` in fixture/exercise.ts. */
export const EXERCISED = /^sent: none gzip snappy lz4( zstd)?$/m
/** And of `observed()` in fixture/observed.ts. */
export const OBSERVED = 'observed: 1 on the page, 1 in metrics, send orders\n'

/**
 * A folder with packages to build and run others with, and nothing else. It is kept, under a name that changes with the
 * packages: hundreds of them are not installed again and again. Outside of the clone, since everything looks for
 * packages in the folders above as well.
 */
export async function toolchain(packages: Readonly<Record<string, string>>): Promise<string> {
  const manifest = JSON.stringify({ private: true, dependencies: packages })
  const key = createHash('sha256').update(manifest).digest('hex').slice(0, 12)
  const folder = join(tmpdir(), `kafka-producer-toolchains-${userInfo().uid}`, key)
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
  // Renamed when it is complete: a run that was interrupted leaves nothing that looks like it.
  const fresh = await mkdtemp(`${folder}-`)
  await writeFile(join(fresh, 'package.json'), manifest)
  // Whoever needs a script of one of them runs it by name.
  await run('npm', [...NPM_INSTALL, '--ignore-scripts'], fresh)
  await rename(fresh, folder).catch(async (error: unknown) => {
    await rm(fresh, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  })
  return folder
}

/** A project with the package and the exercise, in each form that it may be wanted in. Others' packages are those of the folder it is in. */
export async function project(
  parent: string,
  files: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<string> {
  await mkdir(join(parent, 'projects'), { recursive: true })
  const folder = await mkdtemp(join(parent, 'projects', 'app-'))
  await write(folder, { 'package.json': JSON.stringify({ private: true }), ...files })
  await run('npm', [...NPM_INSTALL, ...options, inject('tarball')], folder)
  await cp(join(FIXTURE, 'exercise.ts'), join(folder, 'exercise.ts'))
  return folder
}

/** Writes a fixture as JavaScript, in a file of its name. */
export async function writeFixture(folder: string, file: string, format: 'esm' | 'cjs'): Promise<void> {
  const source = await readFile(join(FIXTURE, `${parse(file).name}.ts`), 'utf8')
  const { code } = await transform(source, { loader: 'ts', format, target: 'node20' })
  await write(folder, { [file]: code })
}

export async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
}
