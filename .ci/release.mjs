// Publishes the version that package.json names: `npm run release`, in the repository's pipeline, on that version's tag.
// Refuses where something is missing, and says all of it. `npm publish --provenance` compares `repository` with the
// repository that it runs for, so a placeholder there can't be published.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { version, repository } = JSON.parse(readFileSync('package.json', 'utf8'))
const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim()

const missing = []
if (new URL(repository.url.replace(/^git\+/, '')).hostname.endsWith('.invalid')) {
  missing.push(
    `package.json: repository.url is the placeholder ${repository.url}; set it to the repository's address and run \`npm run docs\`, which makes homepage and bugs of it`,
  )
}
const [, newest] = /^## (.*)$/m.exec(readFileSync('CHANGELOG.md', 'utf8')) ?? []
if (newest?.replace(/ \(\d{4}-\d\d-\d\d\)$/, '') !== version) {
  missing.push(`CHANGELOG.md: the newest heading is '${newest}', expected is '${version} (<year>-<month>-<day>)'`)
}
const tags = git('tag', '--points-at', 'HEAD').split('\n')
if (!tags.includes(`v${version}`)) missing.push(`git: what is checked out has no tag v${version}`)
if (git('status', '--porcelain') !== '') missing.push('git: there are changes that are not committed')

if (missing.length > 0) {
  console.error(`Not released:\n${missing.map((one) => `- ${one}\n`).join('')}`)
  process.exitCode = 1
} else {
  execFileSync('npm', ['publish', '--provenance', '--access', 'public'], { stdio: 'inherit' })
}
