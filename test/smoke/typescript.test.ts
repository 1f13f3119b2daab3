import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeInstalled, EXERCISED, OBSERVED, PEERS, project, toolchain, write } from './support/project.js'
import { run } from './support/run.js'

const FIXTURE = fileURLToPath(new URL('fixture/', import.meta.url))
/** What is compiled beside `main.ts`. */
const FIXTURES = ['typed.ts', 'observed.ts']

const PACKAGES = {
  '@types/node': '20.19.43',
  'typescript-5.4': 'npm:typescript@5.4.5',
  'typescript-5.9': 'npm:typescript@5.9.3',
  'typescript-6.0': 'npm:typescript@6.0.3',
  'typescript-7.0': 'npm:typescript@7.0.2',
}

let folder: string

beforeAll(async () => {
  const files = {
    'main.ts': `import { exercise } from './exercise.js'
import { observed } from './observed.js'
void exercise().then(console.log).then(observed).then(console.log)
`,
  }
  folder = await project(await toolchain(PACKAGES), files, PEERS)
  for (const file of FIXTURES) await cp(join(FIXTURE, file), join(folder, file))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

interface Compiled {
  readonly typescript: string
  readonly module: string
  readonly moduleResolution: string
  readonly type: 'module' | 'commonjs'
  readonly files?: readonly string[]
}

async function compile({ typescript, module, moduleResolution, type, files = ['main.ts', ...FIXTURES] }: Compiled) {
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'ES2022',
    lib: ['ES2022', 'ESNext.Disposable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    outDir: 'out',
    // The package's own declarations are checked too.
    skipLibCheck: false,
  }
  await rm(join(folder, 'out'), { recursive: true, force: true })
  await write(folder, {
    'package.json': JSON.stringify({ private: true, type }),
    'tsconfig.json': JSON.stringify({ compilerOptions, files }),
  })
  const tsc = join(folder, '..', '..', 'node_modules', `typescript-${typescript}`, 'bin', 'tsc')
  await run(process.execPath, [tsc, '-p', '.'], folder)
}

describeInstalled('TypeScript', () => {
  it.each<[string, string, string, 'module' | 'commonjs']>([
    ['5.4', 'nodenext', 'nodenext', 'module'],
    ['5.4', 'nodenext', 'nodenext', 'commonjs'],
    ['5.4', 'commonjs', 'node', 'commonjs'],
    ['5.9', 'nodenext', 'nodenext', 'module'],
    ['5.9', 'nodenext', 'nodenext', 'commonjs'],
    ['5.9', 'node16', 'node16', 'commonjs'],
    ['5.9', 'commonjs', 'node', 'commonjs'],
    ['6.0', 'node16', 'node16', 'commonjs'],
    ['6.0', 'nodenext', 'nodenext', 'module'],
    ['7.0', 'nodenext', 'nodenext', 'module'],
    ['7.0', 'nodenext', 'nodenext', 'commonjs'],
  ])('%s, module %s, resolution %s, type %s: compiles, and what comes out sends', async (...row) => {
    const [typescript, module, moduleResolution, type] = row
    await compile({ typescript, module, moduleResolution, type })
    const { stdout } = await run(process.execPath, ['out/main.js'], folder)
    expect(stdout).toMatch(EXERCISED)
    expect(stdout).toContain(OBSERVED)
  })

  it.each(['5.9', '7.0'])('%s gives a module that a bundler will take its types', async (typescript) => {
    await compile({ typescript, module: 'esnext', moduleResolution: 'bundler', type: 'module' })
  })

  it('has one type of each class, whichever way a file has it', async () => {
    await write(folder, {
      'takes.cts': `import { KafkaProducerError, type Producer } from 'kafka-producer'
export function takes(producer: Producer): string {
  return producer.constructor.name
}
export const isError = (error: unknown) => error instanceof KafkaProducerError
`,
      'gives.mts': `import { InvalidConfigError, Producer } from 'kafka-producer'
import { isError, takes } from './takes.cjs'
const producer: Producer = new Producer({ brokers: 'localhost:9092' })
console.log(takes(producer), isError(new InvalidConfigError('')))
await producer.close()
`,
    })
    const files = ['takes.cts', 'gives.mts']
    await compile({ typescript: '5.9', module: 'nodenext', moduleResolution: 'nodenext', type: 'commonjs', files })
    expect((await run(process.execPath, ['out/gives.mjs'], folder)).stdout).toBe('Producer true\n')
  })
})
