import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { install } from '../../kafka/support/install.js'
import { javaHome } from '../../kafka/support/jvm.js'
import { findRelease } from '../../kafka/support/releases.js'

/** Runs one of Kafka's own tools, of 3.9, to its end; resolves with what it printed, rejects where it fails. */
export async function javaTool(main: string, args: readonly string[], input = ''): Promise<string> {
  const libs = await install(findRelease('3.9'))
  const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
  const child = spawn(join(javaHome('17'), 'bin/java'), [...flags, '-cp', join(libs, '*'), main, ...args], {
    timeout: 50_000,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(stdout)
      else reject(new Error(`${main} ended with ${code}: ${stdout.slice(-1000)}${stderr.slice(-3000)}`))
    })
  })
}
