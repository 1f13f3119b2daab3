import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeInstalled, EXERCISED, project, toolchain } from './support/project.js'
import { run } from './support/run.js'

const PACKAGES = {
  '@babel/core': '7.29.13',
  '@babel/preset-env': '7.29.14',
  '@babel/preset-typescript': '7.29.7',
  '@nestjs/common': '11.2.10',
  '@nestjs/core': '11.2.10',
  '@nestjs/testing': '11.2.6',
  '@types/jest': '30.0.0',
  '@types/node': '20.19.43',
  'babel-jest': '30.5.2',
  jest: '30.5.2',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  'ts-jest': '29.4.15',
  typescript: '5.9.3',
}

const SPEC = `import { exercise } from './exercise'

it('sends', async () => {
  expect(await exercise()).toMatch(${EXERCISED.toString()})
})
`

/** As \`nest new\` of NestJS 11 writes it. */
const NEST_TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    moduleResolution: 'nodenext',
    resolvePackageJsonExports: true,
    esModuleInterop: true,
    isolatedModules: true,
    declaration: true,
    removeComments: true,
    emitDecoratorMetadata: true,
    experimentalDecorators: true,
    allowSyntheticDefaultImports: true,
    target: 'ES2023',
    sourceMap: true,
    outDir: './dist',
    baseUrl: './',
    incremental: true,
    skipLibCheck: true,
    strictNullChecks: true,
    forceConsistentCasingInFileNames: true,
    noImplicitAny: false,
    strictBindCallApply: false,
    noFallthroughCasesInSwitch: false,
  },
}
const NEST_JEST = {
  moduleFileExtensions: ['js', 'json', 'ts'],
  rootDir: '.',
  testRegex: '.*\\.spec\\.ts$',
  transform: { '^.+\\.(t|j)s$': 'ts-jest' },
  testEnvironment: 'node',
}
const NEST_SPEC = `import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import { Test } from '@nestjs/testing'
import { Producer } from 'kafka-producer'
import { EmbeddedKafka } from 'kafka-producer/testing'

@Injectable()
class Cluster implements OnModuleInit, OnModuleDestroy {
  kafka: EmbeddedKafka
  async onModuleInit() {
    this.kafka = await EmbeddedKafka.start()
  }
  async onModuleDestroy() {
    await this.kafka.stop()
  }
}

@Injectable()
class Orders implements OnModuleDestroy {
  private producer: Producer | undefined
  constructor(private readonly cluster: Cluster) {}
  async place(value: string) {
    this.producer ??= new Producer({ brokers: this.cluster.kafka.bootstrap })
    await this.producer.send({ topic: 'orders', value })
  }
  async onModuleDestroy() {
    await this.producer?.close()
  }
}

it('sends from a service of NestJS', async () => {
  const module = await Test.createTestingModule({ providers: [Cluster, Orders] }).compile()
  await module.init()
  await module.get(Orders).place('one')
  expect(module.get(Cluster).kafka.records('orders').map(({ value }) => String(value))).toEqual(['one'])
  await module.close()
})
`

let chain: string

beforeAll(async () => {
  chain = await toolchain(PACKAGES)
})

/** Runs Jest in a new project; it ends by itself, since nothing is left open. */
async function jest(files: Record<string, string>, config: object, manifest: object = {}): Promise<string> {
  const folder = await project(chain, { ...files, 'package.json': JSON.stringify({ private: true, ...manifest }) })
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const options = ['--experimental-vm-modules'].filter(() => 'type' in manifest)
  const args = [join(chain, 'node_modules', 'jest', 'bin', 'jest.js'), '--ci', '--config', JSON.stringify(config)]
  return (await run(process.execPath, [...options, ...args], folder)).stderr
}

describeInstalled('Jest', () => {
  it('with ts-jest, as NestJS starts with it, loads the package and sends', async () => {
    const files = {
      'tsconfig.json': JSON.stringify(NEST_TSCONFIG),
      'exercise.spec.ts': SPEC,
      'nest.spec.ts': NEST_SPEC,
    }
    expect(await jest(files, NEST_JEST)).toContain('Tests:       2 passed, 2 total')
  })

  it('with babel-jest loads the package and sends', async () => {
    const presets = [['@babel/preset-env', { targets: { node: 'current' } }], '@babel/preset-typescript']
    const files = { 'babel.config.js': `module.exports = ${JSON.stringify({ presets })}`, 'exercise.test.ts': SPEC }
    expect(await jest(files, {})).toContain('Tests:       1 passed, 1 total')
  })

  it('with ES modules loads the package and sends', async () => {
    const files = {
      'tsconfig.json': JSON.stringify({
        compilerOptions: { module: 'nodenext', target: 'ES2023', strict: true, isolatedModules: true },
      }),
      'exercise.test.ts': SPEC.replace(/^/, `import { expect, it } from '@jest/globals'\n`).replace(
        './exercise',
        './exercise.js',
      ),
    }
    const config = {
      extensionsToTreatAsEsm: ['.ts'],
      moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
      transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
    }
    expect(await jest(files, config, { type: 'module' })).toContain('Tests:       1 passed, 1 total')
  })
})
