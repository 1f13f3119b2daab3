// Prints "<passed> <failed> <skipped>" of a report that vitest wrote as JSON; fails where there is no such report.
import { readFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
let report
try {
  report = JSON.parse(readFileSync(file, 'utf8'))
} catch (error) {
  console.error(`no test report: ${error.message}`)
  process.exit(1)
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
