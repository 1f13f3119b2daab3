// Prints "<passed> <failed> <skipped>" of a report: of one that vitest wrote as JSON, or of `npm run test:kafka`, which
// has a list of tests for each release of Kafka; on stderr what failed, a line each. Fails where there is no report.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

const [file] = process.argv.slice(2)
let report
try {
  report = JSON.parse(readFileSync(file, 'utf8'))
} catch (error) {
  console.error(`no test report: ${error.message}`)
  process.exit(1)
}
if (Array.isArray(report.releases)) {
  const { general = [], releases } = report
  const tests = [...general, ...releases.flatMap((release) => release.tests)]
  const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length
  for (const { name, tests: ofRelease, notRun } of [{ name: 'any release', tests: general }, ...releases]) {
    if (notRun !== undefined) tell(name, notRun)
    for (const { suite, name: test, status, reason } of ofRelease)
      if (status === 'failed') tell(name, suite, test, reason)
  }
  // A release that could not run has proven nothing.
  const notRun = releases.filter((release) => release.notRun !== undefined).length
  console.log(count('passed'), count('failed') + notRun, tests.length - count('passed', 'failed'))
  process.exit(0)
}
const { numPassedTests, numFailedTests, numPendingTests = 0, numTodoTests = 0, testResults = [] } = report
if (!Number.isInteger(numPassedTests) || !Number.isInteger(numFailedTests)) {
  console.error(`${file} is no test report`)
  process.exit(1)
}
// A file that could not be run at all has no failed test in it, and is a failure all the same.
const broken = testResults.filter(
  ({ status, assertionResults = [] }) =>
    status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
)
for (const { name, message } of broken) tell(name, message)
for (const { name, assertionResults = [] } of testResults) {
  for (const { status, fullName, failureMessages } of assertionResults)
    if (status === 'failed') tell(name, fullName, failureMessages?.[0])
}
console.log(numPassedTests, numFailedTests + broken.length, numPendingTests + numTodoTests)

function tell(...parts) {
  const texts = parts.filter((part) => part !== undefined).map((part) => part.split('\n')[0])
  console.error(`FAILED ${basename(file, '.json')}: ${texts.join(' · ').replaceAll(`${process.cwd()}/`, '')}`)
}
