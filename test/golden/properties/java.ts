/** Asks Java's producer what it says of the files; see README.md. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { javaHome } from '../../kafka/support/jvm.js'
import type { FileCase } from './cases.js'

export type JavaVerdict =
  { readonly takes: true; readonly unknown: readonly string[] } | { readonly takes: false; readonly why: string }

export interface JavaName {
  readonly name: string
  readonly type: string
  readonly default: string | null
  readonly allowed: string
}

/** What is kept of the answers. */
export interface JavaAnswers {
  readonly version: string
  readonly names: readonly JavaName[]
  /** By the place of the case in the table, so that no file has to stand here twice. */
  readonly verdicts: readonly { readonly case: string; readonly verdict: JavaVerdict }[]
}

const PROGRAM = fileURLToPath(new URL('JavaVerdicts.java', import.meta.url))

/** @param libs the folder of kafka-clients' jars */
export async function askJava(version: string, libs: string, cases: readonly FileCase[]): Promise<JavaAnswers> {
  const names = await run(libs, ['names'], '')
  const files = cases.map(({ file }) => `${Buffer.from(file).toString('base64')}\n`).join('')
  const verdicts = (await run(libs, [], files)) as JavaVerdict[]
  return {
    version,
    names: names as JavaName[],
    verdicts: cases.map(({ name }, index) => ({ case: name, verdict: verdicts[index] as JavaVerdict })),
  }
}

async function run(libs: string, args: string[], input: string): Promise<unknown[]> {
  const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
  const child = spawn(join(javaHome('17'), 'bin/java'), [...flags, '-cp', join(libs, '*'), PROGRAM, ...args])
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`JavaVerdicts ended with ${code}: ${stderr.slice(-3000)}`))
    })
  })
  // Logs stand among the answers where a binding of them is on the class path.
  return stdout
    .split('\n')
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as unknown)
}
