import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nodeBinary } from '../node/binary.js'
import { describeInstalled, EXERCISED, OBSERVED, PEERS, project, toolchain, writeFixture } from './support/project.js'
import { run } from './support/run.js'

/** Where their packages bring the binaries: what would put them elsewhere is an install script. */
const BINARIES = { bun: '@oven/bun-linux-x64/bin/bun', deno: '@deno/linux-x64-glibc/deno' }
const PACKAGES = { '@deno/linux-x64-glibc': '2.9.6', '@oven/bun-linux-x64': '1.4.5' }

interface Runtime {
  readonly name: string
  readonly command: () => Promise<string>
  readonly options: readonly string[]
}

const RUNTIMES: readonly Runtime[] = [
  ...['20', '22', '24', '26'].map((version) => ({
    name: `Node ${version}`,
    command: async () => node(version),
    options: [],
  })),
  { name: 'Bun', command: () => binary(BINARIES.bun), options: [] },
  { name: 'Deno', command: () => binary(BINARIES.deno), options: ['run', '-A'] },
]

async function binary(path: string): Promise<string> {
  return join(await toolchain(PACKAGES), 'node_modules', path)
}

function node(version: string): string {
  return process.versions.node.startsWith(`${version}.`) ? process.execPath : nodeBinary(version)
}

let parent: string
let folder: string

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'kafka-producer-runtimes-'))
  const files = {
    'imported.mjs': `import { exercise } from './exercise.mjs'\nconsole.log(await exercise())\n`,
    'required.cjs': `require('./exercise.cjs').exercise().then(console.log)\n`,
    'observed-imported.mjs': `import { observed } from './observed.mjs'\nconsole.log(await observed())\n`,
    'observed-required.cjs': `require('./observed.cjs').observed().then(console.log)\n`,
    'both.mjs': `import { createRequire } from 'node:module'
import * as imported from 'kafka-producer'
import * as opentelemetry from 'kafka-producer/opentelemetry'
import * as prometheus from 'kafka-producer/prometheus'
import * as testing from 'kafka-producer/testing'
const require = createRequire(import.meta.url)
process.on('warning', ({ message }) => console.log(message))
const entries = { '': imported, '/opentelemetry': opentelemetry, '/prometheus': prometheus, '/testing': testing }
for (const [path, one] of Object.entries(entries)) {
  const name = 'kafka-producer' + path
  const other = require(name)
  if (Object.keys(one).join() !== Object.keys(other).sort().join()) throw new Error('other names of ' + name)
  for (const [key, value] of Object.entries(one)) if (other[key] !== value) throw new Error('two copies of ' + key)
}
console.log('one copy of ' + imported.Producer.name + ' and ' + testing.EmbeddedKafka.name)
`,
  }
  folder = await project(parent, files, PEERS)
  for (const name of ['exercise', 'observed']) {
    await writeFixture(folder, `${name}.mjs`, 'esm')
    await writeFixture(folder, `${name}.cjs`, 'cjs')
  }
})

afterAll(() => rm(parent, { recursive: true, force: true }))

describeInstalled.each(RUNTIMES)('$name', ({ command, options }) => {
  it('imports the package and sends', async () => {
    const { stdout, stderr } = await run(await command(), [...options, 'imported.mjs'], folder)
    expect(stdout).toMatch(EXERCISED)
    expect(stderr).toBe('')
  })

  it('requires the package and sends', async () => {
    const { stdout, stderr } = await run(await command(), [...options, 'required.cjs'], folder)
    expect(stdout).toMatch(EXERCISED)
    expect(stderr).toBe('')
  })

  it.each(['observed-imported.mjs', 'observed-required.cjs'])('has its peers told: %s', async (program) => {
    const { stdout, stderr } = await run(await command(), [...options, program], folder)
    expect(stdout).toBe(OBSERVED)
    expect(stderr).toBe('')
  })

  it('has one copy of what it imports and what it requires', async () => {
    const { stdout } = await run(await command(), [...options, 'both.mjs'], folder)
    expect(stdout).toBe('one copy of Producer and EmbeddedKafka\n')
  })
})

describeInstalled('Deno that may use the network and nothing else', () => {
  it('imports the package and sends', async () => {
    const { stdout, stderr } = await run(await binary(BINARIES.deno), ['run', '--allow-net', 'imported.mjs'], folder)
    expect(stdout).toMatch(EXERCISED)
    expect(stderr).toBe('')
  })
})

describeInstalled('installed with native code for another C library', () => {
  it('does without it', async () => {
    const other = await project(
      parent,
      { 'required.cjs': `require('./exercise.cjs').exercise().then(console.log)\n` },
      ['--libc=musl'],
    )
    await writeFixture(other, 'exercise.cjs', 'cjs')
    const scopes = await readdir(join(other, 'node_modules', '@node-rs'))
    expect(scopes).toContain('crc32-linux-x64-musl')
    expect(scopes).not.toContain('crc32-linux-x64-gnu')
    expect((await run(process.execPath, ['required.cjs'], other)).stdout).toMatch(EXERCISED)
  })
})
