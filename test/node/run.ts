/** Runs the main tests under other versions of Node, of the oldest one a quick part: `npm run test:node -- 20 22 24`. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { nodeBinary, ROOT } from './binary.js'

/** What it needs of the language and of Node shows there, in little time. */
const QUICK = ['test/unit', 'test/golden', 'test/types', 'test/embedded/async', 'test/embedded/security']
/** The least that package.json asks for. */
const OLDEST = '20'

function runTests(version: string): boolean {
  const binary = nodeBinary(version)
  console.log(`Node ${version}: ${binary}`)
  const { status, error } = spawnSync(
    binary,
    [
      join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--project',
      'main',
      ...(version === OLDEST ? QUICK : []),
    ],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, TEST_REPORT: join(ROOT, '.reports', `node-${version}.json`), EXPECTED_NODE: version },
    },
  )
  if (error !== undefined) throw error
  return status === 0
}

const versions = process.argv.slice(2)
if (versions.length === 0 || versions.some((version) => !/^\d+$/.test(version))) {
  console.error('Usage: npm run test:node -- 20 22 24')
  process.exitCode = 2
} else {
  const failed = versions.filter((version) => !runTests(version))
  if (failed.length > 0) {
    console.error(`Failed under Node ${failed.join(', ')}`)
    process.exitCode = 1
  }
}
