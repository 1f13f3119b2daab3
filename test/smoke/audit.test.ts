/** The pipeline's audit of dependencies (.ci/audit.mjs), asked with registries on loopback that answer as told. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, it, onTestFinished } from 'vitest'

type Advisories = Record<
  string,
  { id: number; title: string; url: string; severity: string; vulnerable_versions: string }[]
>

/** Resolves with the packages it was asked about, first of `--omit=dev`, and what the audit said. */
async function audit(answer: Advisories | number): Promise<{ code: number; output: string; asked: string[][] }> {
  const asked: string[][] = []
  const registry = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const name = decodeURIComponent((request.url ?? '').slice(1))
      response.setHeader('content-type', 'application/json')
      if (request.method === 'GET') {
        // What npm wants to know of a package that an advisory names.
        const version = { name, version: '2.1.0', dist: { tarball: 'http://127.0.0.1:9/none' } }
        response.end(JSON.stringify({ name, 'dist-tags': { latest: '2.1.0' }, versions: { '2.1.0': version } }))
      } else if (typeof answer === 'number') {
        response.writeHead(answer).end()
      } else {
        const body = Buffer.concat(chunks)
        const packages = JSON.parse(
          String(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body),
        ) as object
        asked.push(Object.keys(packages))
        response.end(JSON.stringify(answer))
      }
    })
  })
  await listen(registry)
  const cache = mkdtempSync(join(tmpdir(), 'kafka-producer-audit-'))
  onTestFinished(() => rmSync(cache, { recursive: true, force: true }))
  const env = {
    ...process.env,
    npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
    npm_config_cache: cache,
    npm_config_fetch_retries: '0',
  }
  return new Promise((resolve) => {
    execFile('node', ['.ci/audit.mjs'], { env }, (error, output) =>
      resolve({ code: error === null ? 0 : 1, output, asked }),
    )
  })
}

async function listen(registry: Server): Promise<void> {
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void registry.close())
}

it('passes where nothing is known against what is installed', async () => {
  const { code, output, asked } = await audit({})
  expect(code).toBe(0)
  expect(output).toMatch(
    /^npm audit of what is installed with the package: 0 findings in \d+ packages\nnpm audit of everything: 0 findings/,
  )
  expect(asked[0]).toContain('denque')
  expect(asked[0]).not.toContain('vitest')
  expect(asked[1]).toContain('vitest')
})

it('fails on a finding, and names it', async () => {
  const { code, output } = await audit({
    denque: [{ id: 1, title: 'A hole', url: 'https://example.com/1', severity: 'low', vulnerable_versions: '<=9.0.0' }],
  })
  expect(code).toBe(1)
  expect(output).toMatch(/the package: 1 findings in \d+ packages\n {2}low denque .*: A hole/)
})

it.each([404, 405])('says NOT RUN where the registry offers no audit and answers %i', async (status) => {
  const { code, output } = await audit(status)
  expect(output.match(/^NOT RUN: the package registry offers no audit/gm)).toHaveLength(2)
  expect(code).toBe(0)
})

it.each([401, 500])('fails where the registry offers one and answers %i', async (status) => {
  const { code, output } = await audit(status)
  expect(output).not.toMatch(/NOT RUN/)
  expect(output).toMatch(/npm audit of everything failed/)
  expect(code).toBe(1)
})
