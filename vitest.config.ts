import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Where a report for machines goes beside the one for people; `.ci/run` adds up what it finds there. */
const report = process.env['TEST_REPORT']

export default defineConfig({
  test: {
    // Most tests wait, for a deadline or a process, so two cores can bear more of them than two.
    maxWorkers: Math.max(4, availableParallelism()),
    reporters: report === undefined || report === '' ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      {
        test: {
          name: 'main',
          include: ['test/{unit,golden,embedded,property,types,examples,simulation,chaos}/**/*.test.ts'],
          // For a busy machine: what passes takes seconds.
          testTimeout: 90_000,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          testTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'kafka',
          include: ['test/kafka/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/smoke/**/*.test.ts'],
          globalSetup: 'test/smoke/support/pack.ts',
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
