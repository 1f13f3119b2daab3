/**
 * Tests the simulator: plays seeds against copies of the sources, each with one fault in it, until it is found.
 * `npm run simulate:mutants`, or with words of the faults that are meant; `--seeds N` for more than 2,000 each, `--from K`
 * to go on.
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CALLER_MUTANTS } from './caller-mutants.js'
import { MUTANTS, type Mutant } from './mutants.js'
import { ODD_MUTANTS } from './odd-mutants.js'
import { STREAM_MUTANTS } from './stream-mutants.js'
import { WORLD_MUTANTS } from './world-mutants.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TSX = fileURLToPath(import.meta.resolve('tsx/cli'))

/** Which of the seeds find them. */
const OTHERS: readonly (readonly [readonly Mutant[], string])[] = [
  [WORLD_MUTANTS, '--world'],
  [STREAM_MUTANTS, '--streams'],
  [CALLER_MUTANTS, '--calls'],
]

const { values, positionals } = parseArgs({
  options: { seeds: { type: 'string', default: '2000' }, from: { type: 'string', default: '1' } },
  allowPositionals: true,
})

/** The first seed that finds it, and the rule that it broke. */
async function hunt(mutant: Mutant): Promise<string> {
  const { file, find, replace } = mutant
  const dir = await mkdtemp(join(tmpdir(), 'mutant-'))
  try {
    for (const part of ['src', 'test/simulation', 'package.json', 'tsconfig.json'])
      await cp(join(ROOT, part), join(dir, part), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
    const source = await readFile(join(dir, file), 'utf8')
    await writeFile(
      join(dir, file),
      source.replace(find, () => replace),
    )
    // Those are found by no others.
    const others = OTHERS.find(([mutants]) => mutants.includes(mutant))?.[1]
    return await firstLine([join(dir, 'test/simulation/run.ts'), ...(others === undefined ? [] : [others])], dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function firstLine(program: readonly string[], cwd: string): Promise<string> {
  const args = [TSX, ...program, '--seeds', values.seeds, '--from', values.from, '--first']
  const child = spawn(process.execPath, args, { cwd })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve) => child.once('close', () => resolve(output.split('\n')[0] as string)))
}

let missed = 0
for (const mutant of [...MUTANTS, ...ODD_MUTANTS, ...OTHERS.flatMap(([mutants]) => mutants)]) {
  if (positionals.length > 0 && !positionals.some((word) => mutant.fault.includes(word))) continue
  const found = await hunt(mutant)
  const [, seed, rule] = /^seed (\d+): ([^:]*)/.exec(found) ?? []
  if (seed === undefined) missed++
  console.log(`| ${mutant.fault} | ${seed ?? `not found: ${found}`} | ${rule ?? ''} |`)
}
process.exitCode = missed > 0 ? 1 : 0
