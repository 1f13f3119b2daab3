/** Every codec that a release has: stored compressed, read back byte for byte by two independent readers. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newTopic, needs, needsLackOf, type Cluster } from '../support/fixture.js'
import { expectStored, type Message } from '../support/read-back.js'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const magicAt = 16

function lines(topic: string): Message[] {
  return Array.from({ length: 400 }, (_, i) => ({
    topic,
    partition: 0,
    key: i % 4 === 0 ? null : `k${i % 7}`,
    value: i % 50 === 0 ? null : JSON.stringify({ id: i, city: 'Heidelberg', tags: ['alpha', 'beta', 'gamma'] }),
  }))
}

export function compressionCases(one: Cluster): void {
  test.for(codecs.slice(1))(
    '%s: stored compressed, and read back by kcat and by Kafka’s own consumer',
    async (codec, context) => {
      if (codec === 'zstd') needs(context, 'zstd')
      const topic = newTopic(codec)
      await one.kafka.createTopic(topic, { partitions: 1 })
      const messages = lines(topic)
      const metadata = await one.producer({ compression: codec }).send(messages)
      await expectStored(one.kafka, messages, metadata)
      await expectStored(one.kafka, messages, metadata, { reader: 'java' })
      expect(await codecsInLog(one, topic)).toEqual([codec])
    },
  )

  test('zstd on a release that does not take it: a clear error, or the fallback that was named', async (context) => {
    needsLackOf(context, 'zstd')
    const topic = newTopic('no-zstd')
    await one.kafka.createTopic(topic, { partitions: 1 })
    const messages = lines(topic)
    await expect(one.producer({ compression: 'zstd' }).send(messages)).rejects.toMatchObject({
      cause: { code: 'UNSUPPORTED_VERSION', mayHaveBeenWritten: false },
    })
    const metadata = await one.producer({ compression: { type: 'zstd', fallback: 'gzip' } }).send(messages)
    await expectStored(one.kafka, messages, metadata)
    expect(await codecsInLog(one, topic)).toEqual(['gzip'])
  })
}

/** The codecs that the broker's own files name, in the attributes of what it stored. */
async function codecsInLog(one: Cluster, topic: string): Promise<string[]> {
  const found = new Set<string>()
  for (const file of await readdir(one.kafka.dir, { recursive: true })) {
    if (!file.includes(`${topic}-0/`) || !file.endsWith('.log')) continue
    const log = await readFile(join(one.kafka.dir, file))
    // Segments may be allocated ahead: what follows the last entry is zeros.
    for (let at = 0; at + magicAt < log.length && log.readInt32BE(at + 8) > 0; at += 12 + log.readInt32BE(at + 8)) {
      const attributes = log[at + magicAt] === 2 ? log.readInt16BE(at + 21) : (log[at + 17] ?? 0)
      found.add(codecs[attributes & 7] ?? 'unknown')
    }
  }
  return [...found]
}
