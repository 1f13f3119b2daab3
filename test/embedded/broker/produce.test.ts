import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeBatches } from '../../../src/protocol/records/decode.js'
import { EmbeddedKafka } from '../../../src/testing/index.js'
import { RawClient } from '../support/raw-client.js'
import { batchOf, fetchFrom, messagesOf, produceTo } from '../support/requests.js'

describe('what a broker does with a Produce request', () => {
  let kafka: EmbeddedKafka
  let client: RawClient

  beforeEach(async () => {
    kafka = await EmbeddedKafka.start({ release: '2.8', topics: { orders: { partitions: 2 } } })
    client = await RawClient.connect(kafka.bootstrap)
  })

  afterEach(async () => {
    await client.close()
    await kafka.stop()
  })

  it('appends a batch, counting offsets on', async () => {
    const first = await produceTo(client, batchOf([{ key: 'a', value: '1', headers: [['h', 'x']] }, { value: null }]))
    const second = await produceTo(client, batchOf([{ value: '3', timestamp: 2_000 }]))
    expect([first.errorCode, first.baseOffset, second.baseOffset, second.logStartOffset]).toEqual([0, 0n, 2n, 0n])
    expect(kafka.records('orders').map(({ offset, key, value, timestamp, headers }) => [
      offset, key?.toString(), value?.toString(), timestamp, headers.map((header) => [header.key, header.value?.toString()]),
    ])).toEqual([
      [0n, 'a', '1', 1_000, [['h', 'x']]],
      [1n, undefined, undefined, 1_000, []],
      [2n, undefined, '3', 2_000, []],
    ])
    const fetched = decodeBatches((await fetchFrom(client, { offset: 1n })).records ?? Buffer.alloc(0))
    expect(fetched.map(({ baseOffset, lastOffset, leaderEpoch }) => [baseOffset, lastOffset, leaderEpoch])).toEqual([
      [0n, 1n, 0], [2n, 2n, 0],
    ])
  })

  it.each([[0, 0], [1, 2]] as const)('appends message sets of magic %i', async (magic, version) => {
    const answer = await produceTo(client, messagesOf([{ key: 'a', value: '1' }, { value: '2' }], magic), { version })
    expect([answer.errorCode, answer.baseOffset]).toEqual([0, 0n])
    expect(kafka.records('orders').map(({ offset, value, magic: stored }) => [offset, value?.toString(), stored])).toEqual([
      [0n, '1', magic], [1n, '2', magic],
    ])
  })
})
