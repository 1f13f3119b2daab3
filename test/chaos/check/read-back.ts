/** Reads a topic with kcat, line by line: there may be millions. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { kcatFlags } from '../../kafka/support/kcat.js'

export interface Line {
  readonly partition: number
  readonly offset: number
  /** Empty for none. */
  readonly key: string
  readonly value: string
}

/**
 * Everything that readers of committed messages see, in the order of offsets in each partition.
 *
 * @throws Error where kcat fails
 */
export async function readBack(
  bootstrap: string,
  topic: string,
  release: string,
  onRecord: (line: Line) => void,
): Promise<void> {
  const child = spawn(
    'kcat',
    [
      ...['-C', '-q', '-e', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-f', '%p %o %k %s\\n'],
      ...['-X', 'isolation.level=read_committed', '-X', 'check.crcs=true', '-X', 'fetch.wait.max.ms=20'],
      ...kcatFlags(release),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const closed = once(child, 'close') as Promise<[number | null]>
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
  for await (const line of createInterface({ input: child.stdout })) {
    const [, partition, offset, key = '', value = ''] = /^(\d+) (\d+) (\S*) (.*)$/.exec(line) ?? []
    onRecord({ partition: Number(partition), offset: Number(offset), key, value })
  }
  const [code] = await closed
  if (code !== 0) throw new Error(`kcat could not read ${topic}: ${complaints.trim().slice(0, 500)}`)
}
