import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  describeInstalled,
  EXERCISED,
  OBSERVED,
  PEERS,
  project,
  toolchain,
  write,
  writeFixture,
} from './support/project.js'
import { run, type Output } from './support/run.js'

const PACKAGES = {
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-json': '6.1.0',
  '@rollup/plugin-node-resolve': '16.0.3',
  esbuild: '0.28.2',
  rollup: '4.68.8',
  webpack: '5.112.2',
}

const ESM = `import { exercise } from './exercise.mjs'
exercise().then(console.log)
`
const COMMON_JS = `require('./exercise.cjs').exercise().then(console.log)
`

/** Fails where there is an error or a warning. */
const WEBPACK = `
import webpack from 'webpack'
const [entry, filename, module] = process.argv.slice(2)
webpack(
  {
    mode: 'production',
    target: 'node20',
    entry,
    output: { path: process.cwd() + '/out', filename, module: module === 'module' },
    experiments: { outputModule: module === 'module' },
  },
  (error, stats) => {
    if (error) throw error
    const { errors, warnings } = stats.toJson()
    console.log(JSON.stringify([...errors, ...warnings].map(({ message }) => message)))
  },
)
`
const ROLLUP = `
import commonjs from '@rollup/plugin-commonjs'
import json from '@rollup/plugin-json'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
const [input, file, format] = process.argv.slice(2)
const warnings = []
const plugins = [nodeResolve({ preferBuiltins: true }), commonjs(), json()]
const bundle = await rollup({ input, plugins, onwarn: ({ message }) => warnings.push(message) })
await bundle.write({ file: 'out/' + file, format, inlineDynamicImports: true })
console.log(JSON.stringify(warnings))
`

let folder: string
let elsewhere: string

beforeAll(async () => {
  const files = {
    'entry.mjs': ESM,
    'entry.cjs': COMMON_JS,
    'observed-entry.mjs': `import { observed } from './observed.mjs'\nobserved().then(console.log)\n`,
    'webpack.mjs': WEBPACK,
    'rollup.mjs': ROLLUP,
  }
  folder = await project(await toolchain(PACKAGES), files, PEERS)
  for (const file of ['exercise.mjs', 'observed.mjs']) await writeFixture(folder, file, 'esm')
  await writeFixture(folder, 'exercise.cjs', 'cjs')
  elsewhere = await mkdtemp(join(tmpdir(), 'kafka-producer-bundle-'))
})

afterAll(async () => {
  for (const made of [folder, elsewhere]) await rm(made, { recursive: true, force: true })
})

function esbuild(entry: string, file: string, ...options: string[]): Promise<Output> {
  const command = join(folder, '..', '..', 'node_modules', 'esbuild', 'bin', 'esbuild')
  const all = ['--bundle', '--minify', '--platform=node', '--log-level=info', `--outfile=out/${file}`, ...options]
  return run(process.execPath, [command, entry, ...all], folder)
}

function webpack(entry: string, file: string, ...options: string[]): Promise<Output> {
  return run(process.execPath, ['webpack.mjs', entry, file, ...options], folder)
}

function rollup(entry: string, file: string, ...options: string[]): Promise<Output> {
  return run(process.execPath, ['rollup.mjs', entry, file, ...options], folder)
}

/** Where its packages are, with native code; and where none are. */
async function runsBothWays(file: string): Promise<void> {
  expect((await run(process.execPath, [join('out', file)], folder)).stdout).toMatch(EXERCISED)
  await cp(join(folder, 'out', file), join(elsewhere, file))
  expect((await run(process.execPath, [file], elsewhere)).stdout).toMatch(EXERCISED)
}

describeInstalled('a bundle', () => {
  it.each([
    ['entry.mjs', 'esm', 'esbuild.mjs'],
    ['entry.mjs', 'cjs', 'esbuild-of-esm.cjs'],
    ['entry.cjs', 'esm', 'esbuild-of-cjs.mjs'],
    ['entry.cjs', 'cjs', 'esbuild.cjs'],
  ])('of %s, made by esbuild, minified, as %s, has no warning and sends', async (entry, format, file) => {
    const { stderr } = await esbuild(entry, file, `--format=${format}`)
    expect(stderr).not.toMatch(/warning/i)
    await runsBothWays(file)
  })

  it.each([
    ['entry.mjs', 'commonjs', 'webpack-of-esm.cjs'],
    ['entry.cjs', 'commonjs', 'webpack.cjs'],
    ['entry.mjs', 'module', 'webpack.mjs'],
  ])('of %s, made by webpack for production, as %s, has no warning and sends', async (entry, format, file) => {
    expect((await webpack(`./${entry}`, file, format)).stdout).toBe('[]\n')
    await runsBothWays(file)
  })

  it.each([
    ['entry.mjs', 'esm', 'rollup.mjs'],
    ['entry.mjs', 'cjs', 'rollup-of-esm.cjs'],
    ['entry.cjs', 'cjs', 'rollup.cjs'],
  ])('of %s, made by rollup, as %s, has no warning and sends', async (entry, format, file) => {
    expect((await rollup(entry, file, format)).stdout).toBe('[]\n')
    await runsBothWays(file)
  })

  // An ES module of esbuild's has no require(), which the peers' own code calls: they are left out of it.
  it.each([
    ['esbuild', 'observed-esbuild.cjs', esbuild, ['--format=cjs']],
    ['esbuild', 'observed-esbuild.mjs', esbuild, ['--format=esm', '--packages=external']],
    ['webpack', 'observed-webpack.cjs', webpack, ['commonjs']],
    ['webpack', 'observed-webpack.mjs', webpack, ['module']],
    ['rollup', 'observed-rollup.cjs', rollup, ['cjs']],
    ['rollup', 'observed-rollup.mjs', rollup, ['esm']],
  ] as const)('made by %s, %s, has what is optional told what the producer does', async (_, file, bundle, options) => {
    await bundle('./observed-entry.mjs', file, ...options)
    expect((await run(process.execPath, [join('out', file)], folder)).stdout).toBe(OBSERVED)
  })

  it('has one copy of each class where one part imports the package and another requires it', async () => {
    await write(folder, {
      'both.mjs': `import { KafkaProducerError } from 'kafka-producer'
import { required } from './required.cjs'
console.log(required.KafkaProducerError === KafkaProducerError)
`,
      'required.cjs': `exports.required = require('kafka-producer')\n`,
    })
    expect((await webpack('./both.mjs', 'both.cjs')).stdout).toBe('[]\n')
    expect((await run(process.execPath, ['out/both.cjs'], folder)).stdout).toBe('true\n')
  })
})
