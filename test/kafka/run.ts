/**
 * The proof on real Kafka:
 *
 *   npm run test:kafka                        // the oldest release, one of the middle, the newest
 *   npm run test:kafka -- --all
 *   npm run test:kafka -- --release 1.1,2.8 [--java 25] [--keep]
 *
 * Runs test/kafka/each-release once per release, and once what is no release's own, and writes what came of it to
 * .reports/kafka.json; --keep leaves in it what an earlier run found of other releases. A release that cannot run here is told
 * of as NOT RUN, with the reason; under CI=true that is a failure.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { install } from './support/install.js'
import { ensureKcat } from './support/kcat.js'
import { findRelease, releases, type Release } from './support/releases.js'
import {
  count,
  fromVitest,
  reportsDir,
  resultsFile,
  summaryTable,
  type ReleaseResult,
  type Results,
  type TestResult,
} from './support/results.js'

const byDefault = ['0.8.2', '1.1', '4']

const eachRelease = 'test/kafka/each-release'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      release: { type: 'string', multiple: true },
      java: { type: 'string', default: '17' },
      keep: { type: 'boolean', default: false },
    },
  })
  const names = values.all
    ? releases.map(({ name }) => name)
    : (values.release?.flatMap((list) => list.split(',')) ?? byDefault)
  const chosen = names.map(findRelease)
  await mkdir(reportsDir, { recursive: true })
  const general = await vitest('general', [
    `--exclude=${eachRelease}/**`,
    '--exclude=test/kafka/security/**',
    '--passWithNoTests',
  ])
  const results: ReleaseResult[] = []
  const kept = values.keep ? await earlierResults(chosen) : []
  for (const release of chosen) {
    console.log(`\n── Kafka ${release.version} on Java ${values.java}`)
    results.push(await prove(release, values.java))
    // After each one, so that a run that is cut short leaves what it found.
    const soFar: Results = { node: process.version, general, releases: inOrder([...kept, ...results]) }
    await writeFile(resultsFile, `${JSON.stringify(soFar, null, 2)}\n`)
  }
  console.log(`\n${summaryTable(results)}\n`)
  const all = [...general, ...results.flatMap(({ tests }) => tests)]
  const missing = process.env['CI'] === 'true' ? results.filter(({ notRun }) => notRun !== undefined).length : 0
  const failed = count(all, 'failed') + missing
  console.log(`${count(all, 'passed')} passed, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}

async function earlierResults(chosen: readonly Release[]): Promise<ReleaseResult[]> {
  const { releases: earlier } = JSON.parse(await readFile(resultsFile, 'utf8')) as Results
  return earlier.filter(({ version }) => !chosen.some((release) => release.version === version))
}

function inOrder(results: readonly ReleaseResult[]): ReleaseResult[] {
  const place = ({ version }: ReleaseResult): number => releases.findIndex((release) => release.version === version)
  return results.toSorted((one, other) => place(one) - place(other))
}

async function prove(release: Release, java: string): Promise<ReleaseResult> {
  const { name, version } = release
  const began = Date.now()
  const outcome = { name, version, java, date: new Date(began).toISOString().slice(0, 10) }
  try {
    await install(release)
    await ensureKcat()
  } catch (error) {
    const notRun = (error as Error).message
    console.log(`NOT RUN: ${notRun}`)
    return { ...outcome, passed: 0, failed: 0, seconds: 0, tests: [], notRun }
  }
  const tests = await vitest(version, [eachRelease], { KAFKA_RELEASE: version, KAFKA_JAVA: java })
  return {
    ...outcome,
    passed: count(tests, 'passed'),
    failed: count(tests, 'failed'),
    seconds: Math.round((Date.now() - began) / 1000),
    tests,
  }
}

async function vitest(name: string, what: readonly string[], env: Record<string, string> = {}): Promise<TestResult[]> {
  const report = join(reportsDir, `kafka-${name}.json`)
  await rm(report, { force: true })
  const args = [
    'vitest',
    'run',
    '--project',
    'kafka',
    ...what,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const child = spawn('npx', args, { stdio: 'inherit', env: { ...process.env, ...env } })
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return fromVitest(await readFile(report, 'utf8').catch(() => '{}'), exitCode ?? 1)
}

await main()
