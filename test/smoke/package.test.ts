import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { ROOT } from '../node/binary.js'
import { describeInstalled, EXERCISED, write, writeFixture } from './support/project.js'
import { run as runCommand } from './support/run.js'

const BIN = join(ROOT, 'node_modules', '.bin')
const tarball = inject('tarball')

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** What its `exports` lead to, less the suffixes. */
const ENTRIES = ['index', 'opentelemetry/index', 'prometheus/index', 'testing/index']

let dir: string

async function run(command: string, args: readonly string[], cwd = dir): Promise<string> {
  return (await runCommand(command, args, cwd)).stdout
}

async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T
}

/** A new project that has nothing but the package, as its users get it; and what npm said. */
async function install(name: string, ...options: string[]): Promise<{ project: string; said: string }> {
  const project = join(dir, name)
  await mkdir(project)
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true }))
  const { stdout, stderr } = await runCommand(
    'npm',
    ['install', '--no-audit', '--no-fund', ...options, tarball],
    project,
  )
  await writeFixture(project, 'exercise.mjs', 'esm')
  await write(project, { 'main.mjs': `import { exercise } from './exercise.mjs'\nconsole.log(await exercise())\n` })
  return { project, said: stdout + stderr }
}

async function sizeOf(path: string): Promise<number> {
  const names = await readdir(path, { recursive: true })
  const sizes = await Promise.all(
    names.map(async (name) => stat(join(path, name)).then((entry) => (entry.isFile() ? entry.size : 0))),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kafka-producer-package-'))
})

afterAll(() => rm(dir, { recursive: true, force: true }))

describe('the tarball', () => {
  it('holds what is built, and the documents', async () => {
    const files = (await run('tar', ['-tzf', tarball]))
      .trim()
      .split('\n')
      .map((file) => file.replace('package/', ''))
    const others = files.filter(
      (file) => !/^(dist\/[\w./-]+\.(js|cjs|d\.ts|d\.cts)|docs\/[\w./-]+\.(md|svg|json|yml))$/.test(file),
    )
    expect(others.sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'dist/bundled-licences.txt',
      'package.json',
    ])
    for (const name of ENTRIES) {
      for (const suffix of ['js', 'cjs', 'd.ts', 'd.cts']) expect(files).toContain(`dist/${name}.${suffix}`)
    }
  })

  it('has every file that its documents link to', async () => {
    const extracted = join(dir, 'extracted')
    await mkdir(extracted)
    await run('tar', ['-xzf', tarball, '-C', extracted])
    const documents = (await readdir(extracted, { recursive: true })).filter((file) => file.endsWith('.md'))
    for (const document of documents) {
      const text = await readFile(join(extracted, document), 'utf8')
      for (const [, link] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        const target = join(extracted, dirname(document), link as string)
        expect(
          await stat(target).then(
            (found) => found.isFile(),
            () => false,
          ),
          `${document} → ${link}`,
        ).toBe(true)
      }
    }
    expect(documents).toContain('package/docs/modes.md')
  })

  it('says what it exports in files with nothing else: Node looks through all of a file for the names', async () => {
    for (const name of ENTRIES) {
      const text = await readFile(join(ROOT, 'dist', `${name}.cjs`), 'utf8')
      const lines = text.trim().split('\n').slice(3)
      expect(lines.filter((line) => !/^exports\.(\w+) = code\.\1;$/.test(line))).toEqual([])
      expect(lines.length).toBeGreaterThan(0)
    }
  })

  it('has the licence of all that is bundled', async () => {
    const licences = await readFile(join(ROOT, 'dist', 'bundled-licences.txt'), 'utf8')
    for (const name of ['is-network-error', 'p-retry']) {
      const { version } = await readJson<{ version: string }>(join(ROOT, 'node_modules', name, 'package.json'))
      const licence = await readFile(join(ROOT, 'node_modules', name, 'license'), 'utf8')
      expect(licences).toContain(`${name} ${version}\n\n${licence.trim()}\n`)
    }
    const code = await Promise.all(
      (await readdir(join(ROOT, 'dist'), { recursive: true }))
        .filter((file) => /\.c?js$/.test(file))
        .map((file) => readFile(join(ROOT, 'dist', file), 'utf8')),
    )
    const bundled = code.flatMap((text) => [...text.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)])
    expect(new Set(bundled.map(([, name]) => name))).toEqual(new Set(['is-network-error', 'p-retry']))
  })

  it('is as publint wants it', async () => {
    expect(await run(join(BIN, 'publint'), ['run', tarball, '--strict'])).toContain('All good!')
  })

  it('has types that resolve everywhere', async () => {
    await run(join(BIN, 'attw'), [tarball])
  })
})

describeInstalled('installed', () => {
  let project: string
  let said: string

  beforeAll(async () => {
    ;({ project, said } = await install('whole'))
  })

  it('comes without a warning', () => {
    expect(said).toMatch(/^\nadded \d+ packages in \d+(?:ms|s|m)\n$/)
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

  it('brings its command', async () => {
    expect(await run(join(project, 'node_modules', '.bin', 'kafka-producer'), ['--help'], project)).toMatch(
      /^Usage: kafka-producer /,
    )
  })

  it('keeps its insides to itself', async () => {
    const program = 'import("kafka-producer/dist/version.js").catch((error) => console.log(error.code))'
    expect(await run(process.execPath, ['-e', program], project)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n')
  })

  it('brings nothing of what only some want, and tells those what is missing', async () => {
    const { peerDependencies } = await readJson<Manifest>(join(ROOT, 'package.json'))
    const peers = Object.keys(peerDependencies)
    expect(peers).toEqual(['@opentelemetry/api', 'prom-client'])
    const installed = (await readdir(join(project, 'node_modules'), { recursive: true })).map(dirname)
    for (const name of peers) expect(installed).not.toContain(name)
    const missing = async (load: string, type: string) => {
      // Goes on after it, so that what nobody can catch is seen.
      const program = `try { ${load} } catch ({ code, message }) { setImmediate(() => console.log(code, message)) }`
      return run(process.execPath, [`--input-type=${type}`, '-e', program], project)
    }
    for (const [entry, peer] of Object.entries({ opentelemetry: '@opentelemetry/api', prometheus: 'prom-client' })) {
      const told = (code: string) => expect.stringMatching(new RegExp(`^${code} .*'${peer}'`)) as unknown
      expect(await missing(`require('kafka-producer/${entry}')`, 'commonjs')).toEqual(told('MODULE_NOT_FOUND'))
      expect(await missing(`await import('kafka-producer/${entry}')`, 'module')).toEqual(told('ERR_MODULE_NOT_FOUND'))
    }
  })

  it('prints what DEBUG names, by the package debug', async () => {
    const program = `const { Producer } = require('kafka-producer')
require('debug').log = (...args) => console.log('by debug:', ...args)
new Producer({ brokers: '127.0.0.1:1', deliveryTimeoutMs: 100 }).send({ topic: 't', value: '' }).catch(() => {})`
    const { stdout } = await runCommand(
      process.execPath,
      ['-e', `process.env.DEBUG = 'kafka-producer:*'\n${program}`],
      project,
    )
    expect(stdout).toMatch(/^by debug: .*kafka-producer:.*ECONNREFUSED/m)
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

describeInstalled('installed without what is optional', () => {
  it('works all the same', async () => {
    const { project } = await install('bare', '--omit=optional')
    const { dependencies, optionalDependencies = {} } = await readJson<Manifest>(join(ROOT, 'package.json'))
    const installed = (await readdir(join(project, 'node_modules'), { recursive: true })).filter((path) =>
      path.endsWith('package.json'),
    )
    for (const name of Object.keys(optionalDependencies)) expect(installed).not.toContain(join(name, 'package.json'))
    for (const name of Object.keys(dependencies)) expect(installed).toContain(join(name, 'package.json'))
    expect(await run(process.execPath, ['main.mjs'], project)).toMatch(EXERCISED)
    console.log(
      `installed without what is optional: ${Math.round((await sizeOf(join(project, 'node_modules'))) / 1024)} KB`,
    )
  })
})

describeInstalled('a clone', () => {
  it('gets what it needs without a warning', async () => {
    const clone = join(dir, 'clone')
    await mkdir(clone)
    for (const file of ['package.json', 'package-lock.json']) await cp(join(ROOT, file), join(clone, file))
    const { stdout, stderr } = await runCommand('npm', ['ci', '--no-audit', '--no-fund'], clone)
    expect(stdout + stderr).toMatch(/^\nadded \d+ packages in \d+(?:ms|s|m)\n$/)
  })
})
