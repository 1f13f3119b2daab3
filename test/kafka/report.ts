/**
 * Makes docs/compatibility.md of what `npm run test:kafka -- --all` found (.reports/kafka.json) and of what real brokers say of
 * themselves (test/golden/api-versions):
 *
 *   npm run test:kafka:report
 */
import { readFile, writeFile } from 'node:fs/promises'
import { metadata } from '../../src/protocol/apis/metadata.js'
import { produce } from '../../src/protocol/apis/produce.js'
import { saslHandshake } from '../../src/protocol/apis/sasl-handshake.js'
import { LEGACY_VERSIONS, magicOfProduce, ServedVersions } from '../../src/protocol/versions.js'
import { readCaptures, type Capture } from '../golden/api-versions/captures.js'
import { count, resultsFile, type ReleaseResult, type Results, type TestResult } from './support/results.js'

const file = new URL('../../docs/compatibility.md', import.meta.url)

function page({ node, general, releases }: Results): string {
  return `# Kafka releases

<!-- Made by test/kafka/report.ts from the results of the tests; edit that. -->

What each release of Kafka has through this client, as tests on real brokers found it on Node ${node.slice(1)}: \`npm run test:kafka\`, with \`-- --all\` for all of
them. What was sent was read back by clients that share no code with this one: kcat (librdkafka), or the Java consumer of the same release. The rows may
come of several runs, a release that was run again alone having its newest.

## When each release passed

${table(['Kafka', 'passed on', 'tests', 'seconds', 'Java'], releases.map(dayRow))}

${general.length === 0 ? '' : `Another ${count(general, 'passed')} tests that are no release’s own passed${count(general, 'failed') > 0 ? `, ${count(general, 'failed')} failed` : ''}.\n\n`}## What goes over the wire

From the brokers’ own answers, kept in \`test/golden/api-versions\`, and the versions that this client has.

${wireTable(releases)}

TLS and SASL are proven by runs of their own, \`npm run test:kafka:security\`, on 0.10.2, 2.8 and the newest release. Kafka 0.9 has TLS too, but a client that
must be told so by \`brokerVersion\`; that was not run.

## What was proven

✓ passed, – left out because the release lacks it (or has what the test is about the lack of), ✗ failed; an empty cell: the test is newer than the run.

${provenTables(releases)}
## What was left out, and why

${leftOut(releases)}

## What the embedded broker was held against

The same requests went to real brokers and to the embedded one, which has to answer alike. What a release has no such request for, or answers in
words of its own, is left out.

${comparedTable(releases)}
`
}

/** These cases are about brokers, and not about what a release has through this client. */
const CONFORMANCE = 'conformance'

function comparedTable(releases: readonly ReleaseResult[]): string {
  const rows = releases.map(({ version, tests }) => {
    const cases = tests.filter(({ suite }) => suite === CONFORMANCE)
    return [version, ...(['passed', 'failed', 'left out'] as const).map((status) => String(count(cases, status)))]
  })
  return table(['Kafka', 'alike', 'otherwise', 'left out'], rows)
}

function dayRow({ version, date, seconds, java, tests, notRun }: ReleaseResult): string[] {
  if (notRun !== undefined) return [version, `not run: ${notRun}`, '', '', '']
  const failed = count(tests, 'failed')
  const outcome = `${count(tests, 'passed')} passed${failed > 0 ? `, ${failed} failed` : ''}`
  return [version, failed > 0 ? `not on ${date}` : date, outcome, String(seconds), java]
}

function wireTable(releases: readonly ReleaseResult[]): string {
  const captures = new Map(readCaptures().map((capture) => [capture.release, capture]))
  const known = releases.flatMap(({ version }) => captures.get(version) ?? [])
  const produced = known.map((capture) => versionsOf(capture).highest(produce))
  const yes = (isSo: boolean): string => (isSo ? 'yes' : 'no')
  return table(
    ['', ...known.map(({ release }) => release)],
    [
      ['asked for its versions, the broker', ...known.map(({ apiVersions }) => apiVersions.did)],
      ['Produce', ...produced.map((version) => `v${version}`)],
      ['Metadata', ...known.map((capture) => `v${versionsOf(capture).highest(metadata)}`)],
      ['format of messages', ...produced.map((version) => String(magicOfProduce(version)))],
      ['timestamps', ...produced.map((version) => yes(magicOfProduce(version) >= 1))],
      ['headers', ...produced.map((version) => yes(magicOfProduce(version) >= 2))],
      ['an error names the messages that caused it', ...produced.map((version) => yes(version >= 8))],
      ['an answer names the new leader', ...produced.map((version) => yes(version >= 10))],
      ['topics by id', ...produced.map((version) => yes(version >= 13))],
      ['gzip, snappy, lz4', ...produced.map(() => 'yes')],
      ['zstd', ...produced.map((version) => yes(version >= 7))],
      ['TLS', ...known.map(({ apiVersions }) => yes(apiVersions.did === 'answered'))],
      ['SASL', ...known.map((capture) => yes(versionsOf(capture).has(saslHandshake)))],
    ],
  )
}

function versionsOf({ release, apiVersions }: Capture): ServedVersions {
  if (apiVersions.answer === undefined) return LEGACY_VERSIONS
  const ranges = Object.entries(apiVersions.answer.ranges).map(
    ([key, [minVersion, maxVersion]]) => [Number(key), { minVersion, maxVersion }] as const,
  )
  return new ServedVersions(new Map(ranges), release)
}

function provenTables(releases: readonly ReleaseResult[]): string {
  const ran = releases.filter(({ notRun }) => notRun === undefined)
  const suites = new Set(ran.flatMap(({ tests }) => tests.map(({ suite }) => suite)).sort())
  suites.delete(CONFORMANCE)
  const parts = [...suites].map((suite) => {
    const names = new Set(
      ran.flatMap(({ tests }) => tests.filter((test) => test.suite === suite).map(({ name }) => name)),
    )
    const rows = [...names].map((name) => [
      name,
      ...ran.map(({ tests }) => mark(tests.find((test) => test.suite === suite && test.name === name))),
    ])
    return `### ${suite}\n\n${table(['', ...ran.map(({ version }) => version)], rows)}\n`
  })
  return parts.join('\n')
}

function mark(test: TestResult | undefined): string {
  if (test === undefined) return ''
  return { passed: '✓', failed: '✗', 'left out': '–' }[test.status]
}

function leftOut(releases: readonly ReleaseResult[]): string {
  const lines = new Map<string, string[]>()
  for (const { version, tests } of releases) {
    for (const { suite, name, status, reason } of tests) {
      if (status !== 'left out' || suite === CONFORMANCE) continue
      const line = `${name}: ${reason ?? 'no reason was given'}`
      lines.set(line, [...(lines.get(line) ?? []), version])
    }
  }
  const notRun = releases.flatMap(({ version, notRun: reason }) =>
    reason === undefined ? [] : [`- Kafka ${version}: ${reason}`],
  )
  return [...notRun, ...[...lines].map(([line, versions]) => `- ${line} (${versions.join(', ')})`)].join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

await writeFile(file, page(JSON.parse(await readFile(resultsFile, 'utf8')) as Results))
console.log(`${file.pathname} is made of ${resultsFile}`)
