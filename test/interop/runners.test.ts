import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const JEST = 'jest@30.2.0'

/** A test as a user of another runner would write it; `test` is global in jest. */
const TEST = `
import assert from 'node:assert/strict'
import { Producer } from './dist/index.js'
import { EmbeddedKafka } from './dist/testing/index.js'

test('an order arrives', async () => {
  const kafka = await EmbeddedKafka.start({ brokers: 2, topics: { orders: { partitions: 2 } } })
  const producer = new Producer({ brokers: kafka.bootstrap })
  await producer.send({ topic: 'orders', key: 'o-17', value: 'one' })
  assert.deepEqual(kafka.records('orders').map(({ value }) => value.toString()), ['one'])
  await producer.close()
  await kafka.stop()
})
`

describe('the embedded Kafka, compiled, in tests of', () => {
  let dir: string

  beforeAll(async () => {
    // Inside the project, so that the compiled library finds its dependencies.
    await mkdir(join(ROOT, '.reports'), { recursive: true })
    dir = await mkdtemp(join(ROOT, '.reports/runners-'))
    await run(
      'npx',
      ['tsc', '-p', 'tsconfig.build.json', '--emitDeclarationOnly', 'false', '--outDir', join(dir, 'dist')],
      { cwd: ROOT },
    )
    await writeFile(
      join(dir, 'package.json'),
      JSON.stringify({ type: 'module', jest: { transform: {}, testRegex: 'jest-case' } }),
    )
  }, 120_000)

  afterAll(async () => rm(dir, { recursive: true, force: true }))

  it('node:test', async () => {
    await writeFile(join(dir, 'node-case.js'), `import { test } from 'node:test'\n${TEST}`)
    const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', join(dir, 'node-case.js')], {
      cwd: dir,
    })
    expect(stdout).toMatch(/^# pass 1$/m)
  })

  it('jest, which ends by itself since nothing is left open', { timeout: 180_000 }, async () => {
    await writeFile(join(dir, 'jest-case.js'), TEST)
    const env = { ...process.env, NODE_OPTIONS: '--experimental-vm-modules' }
    const { stderr } = await run('npx', ['--yes', JEST, '--rootDir', dir], { cwd: dir, env, timeout: 170_000 })
    expect(stderr).toMatch(/Tests:\s+1 passed, 1 total/)
    expect(stderr).not.toContain('did not exit')
  })
})
