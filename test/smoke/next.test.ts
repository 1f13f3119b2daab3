import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { describeInstalled, EXERCISED, project, toolchain } from './support/project.js'
import { run } from './support/run.js'

const PACKAGES = {
  '@types/node': '20.19.43',
  '@types/react': '19.2.2',
  next: '16.4.6',
  react: '19.3.1',
  'react-dom': '19.3.1',
  typescript: '5.9.3',
}

const files = (root: string) => ({
  'next.config.mjs': `export default { turbopack: { root: ${JSON.stringify(root)} }, outputFileTracingRoot: ${JSON.stringify(root)} }\n`,
  // Bundled, as all that a route of the App Router imports.
  'app/send/route.ts': `import { exercise } from '../../exercise'
export const dynamic = 'force-dynamic'
export async function GET() {
  return new Response(await exercise())
}
`,
  // Left outside of the bundle by default, and required.
  'pages/api/send.ts': `import { exercise } from '../../exercise'
export default async function handler(_request: unknown, response: { send(text: string): void }) {
  response.send(await exercise())
}
`,
})

/** The answers of a server that is started for them. */
async function answers(command: string, folder: string, paths: readonly string[]): Promise<string[]> {
  const server = spawn(process.execPath, [command, 'start', '-H', '127.0.0.1', '-p', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
  })
  const ended = once(server, 'exit')
  try {
    for await (const line of createInterface(server.stdout)) {
      const origin = /Local:\s+(http:\S+)/.exec(line)?.[1]
      if (origin === undefined) continue
      return await Promise.all(paths.map(async (path) => (await fetch(`${origin}${path}`)).text()))
    }
    throw new Error('the server ended')
  } finally {
    server.kill('SIGKILL')
    await ended
  }
}

describeInstalled('Next.js', () => {
  it.each([['webpack'], ['turbopack']])('built by %s has the package in its server and sends', async (bundler) => {
    const chain = await toolchain(PACKAGES)
    const folder = await project(chain, files(chain))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const next = join(chain, 'node_modules', 'next', 'dist', 'bin', 'next')
    const { stdout, stderr } = await run(process.execPath, [next, 'build', `--${bundler}`], folder)
    expect(`${stdout}${stderr}`).not.toMatch(/warn|critical|can't resolve/i)
    for (const answer of await answers(next, folder, ['/send', '/api/send'])) expect(answer).toMatch(EXERCISED)
    await rename(join(folder, 'node_modules', 'kafka-producer'), join(folder, 'gone'))
    for (const answer of await answers(next, folder, ['/send'])) expect(answer).toMatch(EXERCISED)
  })
})
