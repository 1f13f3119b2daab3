/** What publishes (.ci/release.mjs), in a repository and beside an npm that are made for it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../node/binary.js'

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

interface Prepared {
  readonly repository?: string
  readonly heading?: string
  readonly tag?: string
  readonly change?: string
}

function release({ repository, heading, tag, change }: Prepared): { status: number | null; output: string } {
  const dir = mkdtempSync(join(tmpdir(), 'kafka-producer-release-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const manifest = readFileSync(join(ROOT, 'package.json'), 'utf8')
  const home = 'https://repository.invalid/kafka-producer'
  writeFileSync(join(dir, 'package.json'), manifest.replaceAll(home, repository ?? home))
  writeFileSync(join(dir, 'CHANGELOG.md'), `# Changes\n\n## ${heading ?? `${version} (not released yet)`}\n`)
  mkdirSync(join(dir, '.ci'))
  cpSync(join(ROOT, '.ci', 'release.mjs'), join(dir, '.ci', 'release.mjs'))
  mkdirSync(join(dir, 'bin'))
  writeFileSync(join(dir, 'bin', 'npm'), '#!/bin/sh\necho npm "$@"\n', { mode: 0o755 })
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args], { cwd: dir })
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '--message', 'all')
  if (tag !== undefined) git('tag', tag)
  if (change !== undefined) writeFileSync(join(dir, 'change'), change)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['.ci/release.mjs'], {
    cwd: dir,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(dir, 'bin')}:${process.env['PATH']}` },
  })
  return { status, output: stdout + stderr }
}

const READY = { repository: 'https://localhost/a/b', heading: `${version} (2026-12-01)`, tag: `v${version}` }

it('publishes with provenance what is ready', () => {
  expect(release(READY)).toEqual({ status: 0, output: 'npm publish --provenance --access public\n' })
})

it.each([
  ['a placeholder for the repository', { repository: undefined }, /repository\.url is the placeholder/],
  ['no date of the version', { heading: `${version} (not released yet)` }, /'.* \(not released yet\)', expected is/],
  ['another version as the newest', { heading: '0.0.1 (2026-12-01)' }, /newest heading is '0\.0\.1/],
  ['no tag', { tag: undefined }, /has no tag v/],
  ['the tag of another version', { tag: 'v0.0.1' }, /has no tag v/],
  ['a change that is not committed', { change: '' }, /not committed/],
])('refuses with %s', (_, missing, told) => {
  const { status, output } = release({ ...READY, ...missing } as Prepared)
  expect(status).toBe(1)
  expect(output).toMatch(/^Not released:\n- /)
  expect(output.match(/^- /gm)).toHaveLength(1)
  expect(output).toMatch(told)
})
