// Prints "<passed> <failed> <skipped>" of a report: of one that vitest wrote as JSON, or of `npm run test:kafka`, which
// has such numbers for each release of Kafka. Fails where there is none.
import { readFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
let report
try {
  report = JSON.parse(readFileSync(file, 'utf8'))
} catch (error) {
  console.error(`no test report: ${error.message}`)
  process.exit(1)
}
if (Array.isArray(report.releases)) {
  const sum = (count) => report.releases.reduce((total, release) => total + count(release), 0)
  const skipped = sum(({ tests }) => tests.filter(({ status }) => status !== 'passed' && status !== 'failed').length)
  // A release that could not run has proven nothing.
  console.log(sum(({ passed }) => passed), sum(({ failed, notRun }) => failed + (notRun === undefined ? 0 : 1)), skipped)
  process.exit(0)
}
const { numPassedTests, numFailedTests, numPendingTests = 0, numTodoTests = 0, testResults = [] } = report
if (!Number.isInteger(numPassedTests) || !Number.isInteger(numFailedTests)) {
  console.error(`${file} is no test report`)
  process.exit(1)
}
// A file that could not be run at all has no failed test in it, and is a failure all the same.
const broken = testResults.filter(
  ({ status, assertionResults = [] }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
)
console.log(numPassedTests, numFailedTests + broken.length, numPendingTests + numTodoTests)
