/** What a run of the tests on real brokers found, as .reports/kafka.json has it. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const reportsDir = join(dirname(fileURLToPath(import.meta.url)), '../../../.reports')
export const resultsFile = join(reportsDir, 'kafka.json')

export interface TestResult {
  /** The file's name without its ending. */
  readonly suite: string
  readonly name: string
  readonly status: 'passed' | 'failed' | 'left out'
  readonly seconds: number
  /** Why it was left out, or how it failed. */
  readonly reason?: string
}

export interface ReleaseResult {
  readonly name: string
  readonly version: string
  readonly java: string
  /** The day of the run, in UTC. */
  readonly date: string
  readonly passed: number
  readonly failed: number
  readonly seconds: number
  readonly tests: readonly TestResult[]
  /** Why the release could not run at all. */
  readonly notRun?: string
}

export interface Results {
  readonly node: string
  /** What was proven once, whatever the release. */
  readonly general: readonly TestResult[]
  readonly releases: readonly ReleaseResult[]
}

interface VitestReport {
  readonly testResults?: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly title: string
      readonly status: string
      readonly duration?: number | null
      readonly failureMessages?: readonly string[] | null
      readonly meta?: { readonly reason?: string }
    }[]
  }[]
}

/** A run that broke off, or that failed without a failed test, is a failure of its own: nothing is lost in silence. */
export function fromVitest(json: string, exitCode: number): TestResult[] {
  const { testResults = [] } = JSON.parse(json) as VitestReport
  const tests = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const suite = name.replace(/^.*\//, '').replace(/\.test\.ts$/, '')
    const results = assertionResults.map((test): TestResult => {
      const outcome = test.status === 'passed' || test.status === 'failed' ? test.status : 'left out'
      const reason = outcome === 'failed' ? test.failureMessages?.[0]?.split('\n')[0] : test.meta?.reason
      return {
        suite,
        name: test.title,
        status: outcome,
        seconds: (test.duration ?? 0) / 1000,
        ...(reason === undefined ? {} : { reason }),
      }
    })
    // When the brokers could not be started, no test ran.
    const broken: TestResult = { suite, name: 'the file as a whole', status: 'failed', seconds: 0, reason: message }
    return status === 'failed' && !results.some((result) => result.status === 'failed') ? [...results, broken] : results
  })
  if (exitCode !== 0 && !tests.some(({ status }) => status === 'failed')) {
    tests.push({
      suite: 'vitest',
      name: 'the run as a whole',
      status: 'failed',
      seconds: 0,
      reason: `ended with exit code ${exitCode}`,
    })
  }
  return tests
}

export function count(tests: readonly TestResult[], status: TestResult['status']): number {
  return tests.filter((test) => test.status === status).length
}

export function summaryTable(results: readonly ReleaseResult[]): string {
  const rows = results.map(({ version, tests, notRun, seconds, date, java }) => {
    const reasons = new Map<string, number>()
    for (const { reason = '' } of tests.filter(({ status }) => status === 'left out'))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    const leftOut = [...reasons].map(([reason, count]) => `${count} (${reason})`).join(', ')
    return [
      version,
      java,
      date,
      String(count(tests, 'passed')),
      String(count(tests, 'failed')),
      String(seconds),
      notRun === undefined ? leftOut : `NOT RUN: ${notRun}`,
    ]
  })
  const table = [['release', 'java', 'date', 'passed', 'failed', 'seconds', 'not run'], ...rows]
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
