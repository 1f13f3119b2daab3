import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { EmbeddedKafka } from '../../src/testing/index.js'
import {
  documents,
  PACKAGE,
  promisedOutput,
  READERS_BROKER,
  ROOT,
  snippetsOf,
  type Snippet,
} from './support/snippets.js'

/** Each test starts processes, and a busy machine takes its time for that. */
const PATIENCE_MS = 120_000
vi.setConfig({ testTimeout: PATIENCE_MS })

const TSX = fileURLToPath(import.meta.resolve('tsx/cli'))
const snippets = documents().flatMap(snippetsOf)

describe('the snippets of the documentation', () => {
  let dir: string

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'snippets-'))
  })

  afterAll(() => rm(dir, { recursive: true, force: true }))

  it('are there', () => {
    expect(snippets.length).toBeGreaterThanOrEqual(5)
  })

  it('have the types that they claim', () => {
    expect(typeErrors(snippets)).toEqual([])
  })

  // Each is a process of its own, so it is also seen that none is kept alive by what it left behind.
  it.each(snippets)('run: $place', async (snippet) => {
    await using kafka = await EmbeddedKafka.start()
    const file = join(dir, `${snippet.place.replace(/\W/g, '-')}.mts`)
    await writeFile(file, runnable(snippet, kafka.bootstrap))
    const { code, output } = await run(file)
    for (const line of promisedOutput(snippet)) expect(output.replace(/\s+/g, ' ')).toContain(line)
    expect(code, output).toBe(0)
  })
})

/** The snippet with an address that answers, and the package's name made that of the sources. */
function runnable({ code }: Snippet, bootstrap: string): string {
  return code
    .replaceAll(READERS_BROKER, bootstrap)
    .replace(/ from '([^']+)'/g, (clause, name: string) =>
      name.startsWith('node:') ? clause : ` from '${urlOf(name)}'`,
    )
}

/** Of this package in the sources; of others where they are installed here. */
function urlOf(name: string): string {
  const path = PACKAGE[name]
  return path === undefined ? import.meta.resolve(name) : pathToFileURL(path).href
}

function run(file: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [TSX, file], { cwd: ROOT, timeout: PATIENCE_MS / 2 })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

function typeErrors(all: readonly Snippet[]): string[] {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT)
  const paths = Object.fromEntries(Object.entries(PACKAGE).map(([name, path]) => [name, [path]]))
  // A snippet shows what is worth showing, also where nothing is done with it afterwards.
  const checked: ts.CompilerOptions = { ...options, paths, noUnusedLocals: false, noUnusedParameters: false }
  const files = new Map(all.map((snippet, index) => [join(ROOT, `snippet-${index}.mts`), snippet]))
  const disk = ts.createCompilerHost(checked)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => files.has(path) || disk.fileExists(path),
    readFile: (path) => files.get(path)?.code ?? disk.readFile(path),
    getSourceFile: (path, target, ...rest) => {
      const snippet = files.get(path)
      return snippet === undefined
        ? disk.getSourceFile(path, target, ...rest)
        : ts.createSourceFile(path, snippet.code, target)
    },
  }
  const program = ts.createProgram([...files.keys()], checked, host)
  return [...files].flatMap(([path, { place }]) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(path))
      .map(({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`),
  )
}
