import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { expect, it, onTestFinished } from 'vitest'
import { optionalPackage } from '../../src/optional-package.js'
import { ROOT } from '../node/binary.js'

/** Folders, each with a package `found-there`; and a bundle in the first that says which of them it finds. */
function bundle(format: 'esm' | 'cjs'): { program: string; elsewhere: string } {
  const dir = mkdtempSync(join(tmpdir(), 'kafka-producer-optional-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  for (const folder of ['program', 'elsewhere']) {
    mkdirSync(join(dir, folder, 'node_modules', 'found-there'), { recursive: true })
    writeFileSync(join(dir, folder, 'node_modules', 'found-there', 'index.js'), `module.exports = '${folder}'`)
  }
  const program = join(dir, 'program', format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
  buildSync({
    stdin: {
      contents: `import { optionalPackage } from './src/optional-package.ts'; console.log(optionalPackage(process.argv[2] ?? 'found-there'))`,
      resolveDir: ROOT,
    },
    bundle: true,
    platform: 'node',
    format,
    outfile: program,
    logLevel: 'error',
  })
  return { program, elsewhere: join(dir, 'elsewhere') }
}

const run = (program: string, args: string[], cwd: string): string =>
  execFileSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8' }).trim()

it('is loaded where it is installed, and null where not', () => {
  expect(optionalPackage('snappy')).toHaveProperty('compressSync')
  expect(optionalPackage('no-such-package')).toBeNull()
})

it.each(['esm', 'cjs'] as const)('in a bundle (%s) is found beside the program', (format) => {
  const { program, elsewhere } = bundle(format)
  expect(run(program, [], elsewhere)).toBe('program')
})

it.each(['esm', 'cjs'] as const)('in a bundle (%s) is never found from the folder a program is run in', (format) => {
  const { program, elsewhere } = bundle(format)
  mkdirSync(join(elsewhere, 'node_modules', 'only-there'))
  writeFileSync(join(elsewhere, 'node_modules', 'only-there', 'index.js'), `module.exports = 'loaded'`)
  expect(run(program, ['only-there'], elsewhere)).toBe('null')
})
