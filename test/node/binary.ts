import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * The binary of a major version of Node: the one that runs this, or one that is fetched where it is not there yet, from the
 * npm package `node` into a folder that git ignores.
 */
export function nodeBinary(version: string): string {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath
  const dir = join(ROOT, 'node_modules', '.cache', 'node', version)
  const home = join(dir, 'node_modules', 'node')
  const binary = join(home, 'bin', 'node')
  if (!existsSync(binary)) {
    mkdirSync(dir, { recursive: true })
    const options = ['--prefix', dir, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts']
    execFileSync('npm', ['install', ...options, `node@${version}`], { stdio: 'inherit' })
    // Its install script, which npm runs or not: with a warning, or without one.
    execFileSync(process.execPath, ['installArchSpecificPackage.js'], { cwd: home, stdio: 'inherit' })
  }
  const found = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()
  if (!found.startsWith(`v${version}.`)) throw new Error(`${binary} is ${found}, wanted was ${version}`)
  return binary
}
