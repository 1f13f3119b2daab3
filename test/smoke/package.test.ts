import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeBinary, ROOT } from '../node/binary.js'

const FIXTURE = fileURLToPath(new URL('fixture/', import.meta.url))
const BIN = join(ROOT, 'node_modules', '.bin')
const NODES = ['20', '22', '24']

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

let dir: string
let tarball: string

/** Its output; what fails is shown with all that it said. */
async function run(command: string, args: readonly string[], cwd = dir): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd,
      maxBuffer: 1 << 26,
      env: { ...process.env, NODE_PATH: '' },
    })
    return stdout
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string }
    throw new Error(`${message}\n${stdout ?? ''}\n${stderr ?? ''}`, { cause: error })
  }
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T
}

/** A new project that has nothing but the package, as its users get it. */
async function install(name: string, ...options: string[]): Promise<string> {
  const project = join(dir, name)
  await mkdir(project)
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true }))
  await run('npm', ['install', '--no-audit', '--no-fund', ...options, tarball], project)
  await cp(FIXTURE, project, { recursive: true })
  return project
}

async function sizeOf(path: string): Promise<number> {
  const names = await readdir(path, { recursive: true })
  const sizes = await Promise.all(
    names.map(async (name) => stat(join(path, name)).then((entry) => (entry.isFile() ? entry.size : 0))),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

function node(version: string): string {
  return process.versions.node.startsWith(`${version}.`) ? process.execPath : nodeBinary(version)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'package-'))
  // Builds first: `prepack` says so.
  await run('npm', ['pack', '--pack-destination', dir], ROOT)
  const [name] = (await readdir(dir)).filter((file) => file.endsWith('.tgz'))
  tarball = join(dir, name as string)
})

afterAll(() => rm(dir, { recursive: true, force: true }))

describe('the tarball', () => {
  it('holds what is built, and the documents', async () => {
    const files = (await run('tar', ['-tzf', tarball]))
      .trim()
      .split('\n')
      .map((file) => file.replace('package/', ''))
    const others = files.filter((file) => !/^dist\/[\w./-]+\.(js|d\.ts)$/.test(file))
    expect(others.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    expect(files).toContain('dist/index.js')
    expect(files).toContain('dist/testing/index.d.ts')
  })

  it('is as publint wants it', async () => {
    expect(await run(join(BIN, 'publint'), ['run', tarball, '--strict'])).toContain('All good!')
  })

  it('has types that resolve everywhere where an ES module does', async () => {
    await run(join(BIN, 'attw'), [tarball, '--profile', 'esm-only'])
  })
})

describe('installed', () => {
  let project: string

  beforeAll(async () => {
    project = await install('whole')
  })

  it('runs no script of anyone', async () => {
    const { packages } = await readJson<{ packages: Record<string, { hasInstallScript?: boolean }> }>(
      join(project, 'node_modules', '.package-lock.json'),
    )
    const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true)
    expect(scripted.map(([name]) => name)).toEqual([])
    expect(Object.keys(packages)).toContain('node_modules/kafka-producer')
    const { scripts = {} } = await readJson<Manifest>(join(project, 'node_modules', 'kafka-producer', 'package.json'))
    for (const hook of ['preinstall', 'install', 'postinstall', 'prepare']) expect(scripts).not.toHaveProperty(hook)
  })

  it.each(NODES)('is imported and sends on Node %s', async (version) => {
    expect(await run(node(version), ['send.mjs'], project)).toBe('sent 500\n')
  })

  it.each(NODES)('is required and sends on Node %s', async (version) => {
    expect(await run(node(version), ['send.cjs'], project)).toBe('sent to smoke\n')
  })

  it.each(NODES)('loads on Node %s without a warning', async (version) => {
    const program =
      'process.on("warning", ({ message }) => { console.log(message) }); require("kafka-producer"); import("kafka-producer")'
    expect(await run(node(version), ['-e', program], project)).toBe('')
  })

  it('brings its command', async () => {
    expect(await run(join(project, 'node_modules', '.bin', 'kafka-producer'), ['--help'], project)).toMatch(
      /^Usage: kafka-producer /,
    )
  })

  it('keeps its insides to itself', async () => {
    const program = 'import("kafka-producer/dist/version.js").catch((error) => console.log(error.code))'
    expect(await run(process.execPath, ['-e', program], project)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n')
  })

  it('tells its size and how long it takes to load', async () => {
    const bytes = await sizeOf(join(project, 'node_modules'))
    const own = await sizeOf(join(project, 'node_modules', 'kafka-producer'))
    const program =
      'const from = performance.now(); await import("kafka-producer"); console.log(Math.round(performance.now() - from))'
    const ms = await run(process.execPath, ['--input-type=module', '-e', program], project)
    console.log(
      `installed: ${Math.round(bytes / 1024)} KB with all it needs, ${Math.round(own / 1024)} KB alone; loaded in ${ms.trim()} ms`,
    )
  })
})

describe('installed beside TypeScript', () => {
  let project: string

  beforeAll(async () => {
    project = await install('typed', '@types/node@20')
  })

  it.each([
    ['an ES module', 'NodeNext', 'NodeNext', 'module'],
    ['a CommonJS module', 'NodeNext', 'NodeNext', 'commonjs'],
    ['a bundled module', 'ESNext', 'Bundler', 'module'],
  ])('gives %s its types: module %s, resolution %s', async (_, module, moduleResolution, type) => {
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'ES2022',
      lib: ['ES2022', 'ESNext.Disposable'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      // The package's own declarations are checked too.
      skipLibCheck: false,
    }
    const manifest = await readJson<object>(join(project, 'package.json'))
    await writeFile(join(project, 'package.json'), JSON.stringify({ ...manifest, type }))
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }))
    await run(join(BIN, 'tsc'), ['-p', '.'], project)
  })
})

describe('installed without what is optional', () => {
  it('works all the same', async () => {
    const project = await install('bare', '--omit=optional')
    const { dependencies, optionalDependencies = {} } = await readJson<Manifest>(join(ROOT, 'package.json'))
    const installed = (await readdir(join(project, 'node_modules'), { recursive: true })).filter((path) =>
      path.endsWith('package.json'),
    )
    for (const name of Object.keys(optionalDependencies)) expect(installed).not.toContain(join(name, 'package.json'))
    for (const name of Object.keys(dependencies)) expect(installed).toContain(join(name, 'package.json'))
    expect(await run(process.execPath, ['send.mjs'], project)).toBe('sent 500\n')
    expect(await run(process.execPath, ['send.cjs'], project)).toBe('sent to smoke\n')
    console.log(
      `installed without what is optional: ${Math.round((await sizeOf(join(project, 'node_modules'))) / 1024)} KB`,
    )
  })
})
