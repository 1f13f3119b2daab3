import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { VERSION } from '../../src/version.js'

it('the version that brokers are told is that of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  expect(VERSION).toBe(manifest.version)
})

it.runIf(process.env['EXPECTED_NODE'])('the tests run under the version of Node that was asked for', () => {
  expect(process.versions.node.split('.')[0]).toBe(process.env['EXPECTED_NODE'])
})
