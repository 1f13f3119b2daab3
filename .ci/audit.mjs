// Asks the package registry for known vulnerabilities: first of what is installed with the package, then of everything.
// Fails on any finding, and where it could not ask.
//
// With one exception: a registry that offers no audit at all, such as a mirror, says so (404, 405, 501, ENOAUDIT). Then
// nothing was audited here, and no change to the code could make it so; the line NOT RUN tells, and .ci/run repeats it
// at its end. A registry that offers one and fails, or can't be reached, is a failure.
import { execFile } from 'node:child_process'

const OFFERS_NONE = new Set([404, 405, 501])

let failed = false
for (const [what, args] of [
  ['what is installed with the package', ['--omit=dev']],
  ['everything', []],
]) {
  const report = await audit(args)
  if (report.auditReportVersion !== undefined) {
    const found = Object.values(report.vulnerabilities)
    console.log(`npm audit of ${what}: ${found.length} findings in ${report.metadata.dependencies.total} packages`)
    for (const { name, severity, range, via } of found) {
      console.log(`  ${severity} ${name} ${range}: ${via.map((one) => one.title ?? `by ${one}`).join('; ')}`)
    }
    failed ||= found.length > 0
  } else if (OFFERS_NONE.has(report.statusCode) || report.error?.code === 'ENOAUDIT') {
    console.log(`NOT RUN: the package registry offers no audit, so ${what} was not audited (${reason(report)})`)
  } else {
    console.log(`npm audit of ${what} failed: ${reason(report)}`)
    failed = true
  }
}
process.exitCode = failed ? 1 : 0

function audit(args) {
  return new Promise((resolve) => {
    execFile('npm', ['audit', '--json', ...args], { maxBuffer: 1 << 28 }, (_, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout))
      } catch {
        resolve({ message: stderr.trim() || 'npm answered no JSON' })
      }
    })
  })
}

function reason({ message, error }) {
  return message ?? error?.summary ?? 'npm does not say why'
}
