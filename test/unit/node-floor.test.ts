import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
/** The oldest Node that it is for. Where a package asks for a newer one, npm takes an older release of it, and says nothing. */
const FLOOR: readonly number[] = [20, 19, 0]

interface Manifest {
  readonly name: string
  readonly engines?: { readonly node?: string }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** Where Node finds a package that one in `from` asks for; undefined for one of another system's, which is not installed. */
function folderOf(name: string, from: string): string | undefined {
  const here = join(from, 'node_modules', name)
  if (existsSync(here)) return here
  return from === dirname(from) ? undefined : folderOf(name, dirname(from))
}

/** The package, and all that is installed with it, by name. */
function installed(folder: string, found = new Map<string, Manifest>()): Map<string, Manifest> {
  const manifest = manifestIn(folder)
  if (found.has(manifest.name)) return found
  found.set(manifest.name, manifest)
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    const next = folderOf(name, folder)
    if (next !== undefined) installed(next, found)
  }
  return found
}

/** Whether a range of Node's versions has the floor in it: of ranges by `||`, those that are at the least or of one major. */
function hasFloor(range: string): boolean {
  return range.split('||').some((part) => {
    const [, operator, major = '0', minor = '0', patch = '0'] =
      /^\s*([<>=^~]*)\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(part) ?? []
    const least = [Number(major), Number(minor), Number(patch)]
    const isReached = FLOOR.reduce((order, number, i) => order || number - (least[i] ?? 0), 0) >= 0
    return operator === '^' || operator === '~' || operator === '' ? isReached && least[0] === FLOOR[0] : isReached
  })
}

it.each([
  ['>=20.19', true],
  ['>= 6.0', true],
  ['^18.0.0 || ^20.0.0', true],
  ['>=20.19.1', false],
  ['>=22', false],
  ['^22.0.0', false],
])('the range %s has Node 20.19.0 in it: %s', (range, expected) => {
  expect(hasFloor(range)).toBe(expected)
})

it('the package, and all that npm installs with it, is for Node 20.19 and later', () => {
  const packages = installed(ROOT)
  expect(packages.get('kafka-producer')?.engines?.node).toBe('>=20.19')
  expect([...packages.keys()]).toEqual(expect.arrayContaining(['debug', 'denque', 'p-retry']))
  const tooNew = [...packages.values()].filter(({ engines }) => engines?.node !== undefined && !hasFloor(engines.node))
  expect(tooNew.map(({ name, engines }) => `${name}: ${engines?.node}`)).toEqual([])
})
