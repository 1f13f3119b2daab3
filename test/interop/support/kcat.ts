import { spawn } from 'node:child_process'

/** What kcat must be told about brokers that cannot be asked for their versions. */
const FALLBACKS: Readonly<Record<string, string>> = { '0.8.2': '0.8.2.2', '0.9': '0.9.0.1' }

export interface KcatResult {
  readonly stdout: string
  readonly stderr: string
}

/** Runs kcat (librdkafka's command line) to its end; rejects where it fails or takes more than 20 s. */
export async function kcat(release: string, args: readonly string[], input = ''): Promise<KcatResult> {
  const fallback = FALLBACKS[release]
  const settings =
    fallback === undefined ? [] : ['-X', 'api.version.request=false', '-X', `broker.version.fallback=${fallback}`]
  const child = spawn('kcat', [...settings, ...args], { timeout: 20_000 })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve({ stdout, stderr })
      else reject(new Error(`kcat ${args.join(' ')} ended with ${code}: ${stderr}`))
    })
  })
}
