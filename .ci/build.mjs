// Makes dist/ of src/: `npm run build`.
//
//   code/                                       the library, in CommonJS
//   index.cjs, testing/index.cjs …              what it exports, for `require`
//   index.js, testing/index.js …                the same, for `import`
//   **/*.d.cts, index.d.ts, testing/index.d.ts … the types, in the same way
//   cli/main.js                                 the command
//
// There is one copy of every class, so that `instanceof` holds whichever way a program and its packages load them. It is
// CommonJS, since Jest in its usual mode loads nothing else, and bundlers and every Node take it. These things make it so:
//
// - Node's own modules are taken by process.getBuiltinModule(): esbuild turns a require() into a function that throws
//   where its output is ES modules.
// - p-retry and what it needs are ES modules alone, which Jest's require() can't load. They are bundled, and their
//   licences with them.
// - Where it is imported, Node looks through a file for the names of its exports, which takes Node 20 40 ms for all of the
//   library: so the files that say them have nothing else.
// - What src/ loads on demand it loads by src/optional-package.ts.
// - A peer that may be missing is imported before what requires it: where CommonJS that is imported throws, Node 20 ends the
//   process, also where that is caught.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const DIST = join(ROOT, 'dist')
/** What the package's `exports` lead to, less the suffixes. */
const ENTRIES = ['index', 'opentelemetry/index', 'prometheus/index', 'testing/index']
/** Dependencies that CommonJS can't load. */
const BUNDLED = ['p-retry', 'is-network-error']
const OPTIONS = { platform: 'node', target: 'node20', logLevel: 'warning' }

/** Of another declaration, in one. */
const SPECIFIER = /(?<=\b(?:from |import\()['"])(\.[^'"]+)\.js(?=['"])/g
const NODE_TYPES = '/// <reference types="node" />\n'

const HEADER = '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n'

const write = (file, text) => {
  mkdirSync(dirname(join(DIST, file)), { recursive: true })
  writeFileSync(join(DIST, file), text)
}

rmSync(DIST, { recursive: true, force: true })
await library()
await command()
types()

async function library() {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const { outputFiles, metafile } = await build({
    ...OPTIONS,
    absWorkingDir: ROOT,
    entryPoints: ENTRIES.map((entry) => `src/${entry}.ts`),
    bundle: true,
    splitting: true,
    format: 'esm',
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !BUNDLED.includes(name)),
    outbase: 'src',
    outdir: 'dist/code',
    write: false,
    metafile: true,
  })
  for (const { path, text } of outputFiles) write(relative(DIST, path).replace(/\.js$/, '.cjs'), commonJs(text))
  for (const entry of ENTRIES) {
    const { exports, imports } = metafile.outputs[`dist/code/${entry}.js`]
    const code = `${'../'.repeat(entry.split('/').length - 1) || './'}code/${entry}`
    write(
      `${entry}.cjs`,
      HEADER +
        `const code = require("${code}.cjs");\n` +
        exports.map((name) => `exports.${name} = code.${name};\n`).join(''),
    )
    const peers = Object.keys(peerDependencies).filter((peer) => imports.some(({ path }) => path === peer))
    write(
      `${entry}.js`,
      peers.map((peer) => `import '${peer}'\n`).join('') +
        `export {\n${exports.map((name) => `  ${name},\n`).join('')}} from './${entry.split('/').at(-1)}.cjs'\n`,
    )
  }
  write('bundled-licences.txt', licences(metafile))
}

/**
 * What esbuild made as ES modules, since it splits no others, in CommonJS. Names are bound once, where esbuild itself
 * would make each use of another file's a call of a getter.
 */
function commonJs(text) {
  const required = (specifier) => {
    if (specifier.startsWith('node:')) return `process.getBuiltinModule("${specifier}")`
    return `require("${specifier.replace(/^(\..+)\.js$/, '$1.cjs')}")`
  }
  const code = text
    .replace(/^import (?:(\w+)|\* as (\w+)|(\{[^}]*\})) from "([^"]+)";$/gm, (_, whole, all, names, specifier) => {
      return `const ${whole ?? all ?? names.replaceAll(' as ', ': ')} = ${required(specifier)};`
    })
    .replace(/^import "([^"]+)";$/gm, (_, specifier) => `${required(specifier)};`)
    .replace(/^export \{([^}]*)\};$/m, (_, names) => {
      const pairs = names.split(',').map((name) => name.trim().split(' as '))
      return pairs.map(([name, exported = name]) => `exports.${exported} = ${name};`).join('\n')
    })
  const left = /^(?:import|export)\b.*|\bimport(?:\(|\.meta).*/m.exec(code)
  if (left !== null) throw new Error(`this has no place in CommonJS: ${left[0]}`)
  // esbuild gives a class that names itself another name, which users would read wherever they print an instance.
  const renamed = [...code.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name)
  const named = renamed.reduce((text, name) => text.replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name), code)
  return HEADER + named
}

/** Of the packages whose code is in the output. */
function licences({ inputs }) {
  const names = new Set(
    Object.keys(inputs).flatMap((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.slice(1) ?? []),
  )
  return [...names]
    .sort()
    .map((name) => {
      const folder = join(ROOT, 'node_modules', name)
      const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file))
      if (file === undefined) throw new Error(`${name} is bundled, and has no licence to go with it`)
      return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
    })
    .join('\n---\n\n')
}

/** The command uses the library as others do. */
async function command() {
  await build({
    ...OPTIONS,
    absWorkingDir: ROOT,
    entryPoints: ['src/cli/main.ts'],
    bundle: true,
    format: 'esm',
    external: ['../index.js', '../testing/index.js'],
    outfile: 'dist/cli/main.js',
  })
}

function types() {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  const declarations = new Map()
  const follow = (file) => {
    if (declarations.has(file)) return
    const text = readFileSync(join(DIST, `${file}.d.ts`), 'utf8')
    declarations.set(file, text)
    for (const [, specifier] of text.matchAll(SPECIFIER)) follow(join(dirname(file), specifier))
  }
  for (const entry of ENTRIES) follow(entry)
  for (const file of readdirSync(DIST, { recursive: true })) if (file.endsWith('.d.ts')) rmSync(join(DIST, file))
  for (const [file, text] of declarations) {
    const isEntry = ENTRIES.includes(file)
    // TypeScript 6 takes in no package's types unless asked.
    write(
      `${file}.d.cts`,
      (isEntry ? NODE_TYPES : '') + text.replace(SPECIFIER, (found) => found.replace('.js', '.cjs')),
    )
    if (isEntry) write(`${file}.d.ts`, `${NODE_TYPES}export * from './${file.split('/').at(-1)}.cjs'\n`)
  }
}
