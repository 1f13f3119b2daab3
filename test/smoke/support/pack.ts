import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { ROOT } from '../../node/binary.js'
import { run } from './run.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed package. */
    tarball: string
    /** Whether packages can be installed: without them there is nothing to run it with. */
    isRegistryReachable: boolean
  }
}

/** Once for all files: packs what they test, and asks whether there is a registry. Without one the pipeline fails. */
export default async function pack(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'kafka-producer-tarball-'))
  // Builds first: `prepack` says so.
  await run('npm', ['pack', '--pack-destination', dir], ROOT)
  const [name] = (await readdir(dir)).filter((file) => file.endsWith('.tgz'))
  project.provide('tarball', join(dir, name as string))
  const isReachable = await run(
    'npm',
    ['view', 'denque', 'version', '--prefer-online', '--fetch-retries=1'],
    ROOT,
  ).then(
    () => true,
    (error: Error) => {
      const what = `NOT RUN: nothing can be installed, since the package registry can't be reached\n${error.message}`
      if (process.env['CI'] === 'true') throw new Error(what)
      console.error(what)
      return false
    },
  )
  project.provide('isRegistryReachable', isReachable)
  return () => rm(dir, { recursive: true, force: true })
}
