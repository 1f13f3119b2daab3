/**
 * Runs the main tests under other versions of Node: `npm run test:node -- 22 24`. Their binaries come from the npm
 * package `node`, into a folder that git ignores.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The binary of a major version, fetched where it is not there yet. */
function nodeBinary(version: string): string {
  const dir = join(root, 'node_modules', '.cache', 'node', version)
  const home = join(dir, 'node_modules', 'node')
  const binary = join(home, 'bin', 'node')
  if (!existsSync(binary)) {
    mkdirSync(dir, { recursive: true })
    execFileSync('npm', ['install', '--prefix', dir, '--no-save', '--no-audit', '--no-fund', `node@${version}`], { stdio: 'inherit' })
    // What its install script does, for an npm that runs none.
    if (!existsSync(binary)) execFileSync(process.execPath, ['installArchSpecificPackage.js'], { cwd: home, stdio: 'inherit' })
  }
  const found = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()
  if (!found.startsWith(`v${version}.`)) throw new Error(`${binary} is ${found}, wanted was ${version}`)
  console.log(`Node ${found}: ${binary}`)
  return binary
}

function runTests(version: string): boolean {
  const { status, error } = spawnSync(nodeBinary(version), [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', 'main'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TEST_REPORT: join(root, '.reports', `node-${version}.json`), EXPECTED_NODE: version },
  })
  if (error !== undefined) throw error
  return status === 0
}

const versions = process.argv.slice(2)
if (versions.length === 0 || versions.some((version) => !/^\d+$/.test(version))) {
  console.error('Usage: npm run test:node -- 22 24')
  process.exitCode = 2
} else {
  const failed = versions.filter((version) => !runTests(version))
  if (failed.length > 0) {
    console.error(`Failed under Node ${failed.join(', ')}`)
    process.exitCode = 1
  }
}
