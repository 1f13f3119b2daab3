/** Writes down what Java's producer says of each file: `npx tsx test/golden/properties/record.ts`. Needs Java 17 and Maven. */
import { writeFileSync } from 'node:fs'
import { install } from '../../kafka/support/install.js'
import { findRelease } from '../../kafka/support/releases.js'
import { CASES } from './cases.js'
import { askJava } from './java.js'

const release = findRelease('4')
const answers = await askJava(release.version, await install(release), CASES)
writeFileSync(
  new URL(`kafka-clients-${release.version}.json`, import.meta.url),
  `${JSON.stringify(answers, null, 1)}\n`,
)
