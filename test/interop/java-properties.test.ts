import { readFileSync } from 'node:fs'
import { beforeAll, expect, it } from 'vitest'
import { CASES } from '../golden/properties/cases.js'
import { askJava, type JavaAnswers } from '../golden/properties/java.js'
import { install } from '../kafka/support/install.js'
import { findRelease } from '../kafka/support/releases.js'

const release = findRelease('4')
let libs: string
beforeAll(async () => {
  libs = await install(release)
}, 180_000)

it('Java’s producer still says of each properties file what is written down', { timeout: 120_000 }, async () => {
  const kept = new URL(`../golden/properties/kafka-clients-${release.version}.json`, import.meta.url)
  const answers = await askJava(release.version, libs, CASES)
  expect(answers.names.length).toBeGreaterThan(100)
  expect(answers).toEqual(JSON.parse(readFileSync(kept, 'utf8')) as JavaAnswers)
})
