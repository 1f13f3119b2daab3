/**
 * Brings the jars of a release from Maven Central into `.kafka/<version>/libs`, once. Everything of Kafka's own
 * that has a main class (console tools, DumpLogSegments, perf tests) then runs with `java -cp '<libs>/*'`.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Release } from './releases.js'

const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** Git-ignored; jars and the runs' data and logs. */
export const kafkaDir = join(projectRoot, '.kafka')

/** Resolves with the folder of the release's jars. */
export async function install(release: Release): Promise<string> {
  return installInto(join(kafkaDir, release.version, 'libs'), release, release.artifacts)
}

/** As install, with the tools that people run by hand. */
export async function installTools(release: Release): Promise<string> {
  return release.tools === undefined
    ? install(release)
    : installInto(join(kafkaDir, release.version, 'tools'), release, release.tools)
}

async function installInto(folder: string, release: Release, artifacts: readonly string[]): Promise<string> {
  const pom = pomOf(artifacts)
  // The folder holds the POM that it was made from, so that a changed row of the table is fetched anew.
  const isInstalled = async (): Promise<boolean> =>
    (await readFile(join(folder, 'pom.xml'), 'utf8').catch(() => '')) === pom
  if (!(await isInstalled())) {
    await mkdir(dirname(folder), { recursive: true })
    await withLock(`${folder}.lock`, async () => {
      if (!(await isInstalled())) await download(release, pom, folder)
    })
  }
  return folder
}

async function download(release: Release, pom: string, folder: string): Promise<void> {
  // Only a finished download gets the name that install() looks for.
  const unfinished = `${folder}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished)
  const pomFile = join(unfinished, 'pom.xml')
  await writeFile(pomFile, pom)
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
  try {
    await promisify(execFile)('mvn', [
      '-B',
      '-q',
      '-U',
      '-f',
      pomFile,
      goal,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${unfinished}`,
    ])
  } catch (error) {
    throw new Error(whyMavenFailed(release, error), { cause: error })
  }
  await rm(folder, { recursive: true, force: true })
  await rename(unfinished, folder)
}

function whyMavenFailed(release: Release, error: unknown): string {
  const { code, stdout = '' } = error as { code?: unknown; stdout?: string }
  if (code === 'ENOENT') return `Kafka ${release.version} cannot be installed: Maven (mvn) is not on the PATH.`
  const reason =
    stdout
      .split('\n')
      .find((line) => line.includes('[ERROR]'))
      ?.replace(/^.*\[ERROR\]\s*/, '')
      .replace(/ -> \[Help.*$/, '')
      .replace(/^.*transfer failed for /, '') ?? String(error)
  const unreachable = /Could not transfer|Connect to|Unknown host|timed out|refused|unreachable|offline/i.test(reason)
  return unreachable
    ? `Kafka ${release.version} cannot be installed: Maven Central cannot be reached (${reason}).`
    : `Kafka ${release.version} cannot be installed: Maven failed (${reason}).`
}

function pomOf(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group = '', name = '', version = ''] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return [
    '<project><modelVersion>4.0.0</modelVersion>',
    '<groupId>test</groupId><artifactId>kafka-libs</artifactId><version>1</version>',
    `<dependencies>${dependencies.join('')}</dependencies></project>`,
  ].join('\n')
}

/** A lock between processes: the file holds its owner's pid, so that a dead owner's lock can be taken away. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const owner = Number(await readFile(file, 'utf8').catch(() => ''))
      if (owner > 0 && !isAlive(owner)) await rm(file, { force: true })
      else await delay(200)
    }
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
