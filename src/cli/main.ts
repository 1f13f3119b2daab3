#!/usr/bin/env node
import { VERSION } from '../version.js'
import { parseCommandLine, USAGE, UsageError } from './arguments.js'
import { runBroker } from './broker.js'

const WRONG_USAGE = 2

async function main(): Promise<void> {
  const asked = parseCommandLine(process.argv.slice(2))
  if (asked === 'help') process.stdout.write(USAGE)
  else if (asked === 'version') process.stdout.write(`${VERSION}\n`)
  else await runBroker(asked)
}

try {
  await main()
} catch (error) {
  const wrongUsage = error instanceof UsageError
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${wrongUsage ? `\n${USAGE}` : ''}`)
  process.exitCode = wrongUsage ? WRONG_USAGE : 1
}
