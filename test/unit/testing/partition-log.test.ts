import { describe, expect, it } from 'vitest'
import { PartitionLog, type LogEntry } from '../../../src/testing/partition-log.js'

const BYTES = Buffer.alloc(10)

function entry(offset: number, isControl = false): LogEntry {
  return { baseOffset: offset, lastOffset: offset, maxTimestamp: 1, magic: 2, count: 1, isControl, bytes: BYTES }
}

/** The offsets from 0 up to `end` were written, and as many are kept as said. */
function logOf(end: number, kept: number): PartitionLog {
  const log = new PartitionLog(kept * BYTES.length)
  for (let offset = 0; offset < end; offset++) log.append(entry(offset))
  return log
}

const offsetsOf = (entries: readonly LogEntry[]): number[] => entries.map(({ baseOffset }) => baseOffset)

describe('the log of a partition', () => {
  it.each([5, 6, 7, 8, 9, 10, 11, 23])('keeps the newest entries of %i', (end) => {
    const log = logOf(end, 4)
    const kept = [end - 4, end - 3, end - 2, end - 1]
    expect(offsetsOf(log.all())).toEqual(kept)
    expect(offsetsOf(log.read(0, 1_000, Infinity))).toEqual(kept)
    expect(offsetsOf(log.read(end - 2, 10, Infinity))).toEqual([end - 2])
    expect([log.startOffset, log.endOffset, log.sizeBytes, log.messageCount]).toEqual([end - 4, end, 40, 4])
  })

  it('counts bytes without reading them', () => {
    const log = logOf(9, 4)
    expect([log.bytesBetween(5, 9), log.bytesBetween(7, 8), log.bytesBetween(9, 9), log.bytesBetween(9, 6)]).toEqual([
      40, 10, 0, 0,
    ])
    log.truncate(1)
    log.append(entry(8))
    expect([log.bytesBetween(6, 9), log.bytesBetween(8, 9)]).toEqual([30, 10])
    log.empty()
    log.append(entry(9))
    expect([log.bytesBetween(9, 9), log.bytesBetween(9, 10)]).toEqual([0, 10])
  })

  it('goes on after its newest entries, or all of them, were lost', () => {
    const log = logOf(6, 4)
    log.truncate(1)
    expect([log.startOffset, log.endOffset, log.sizeBytes, log.messageCount]).toEqual([2, 5, 30, 3])
    log.truncate(9)
    expect([log.startOffset, log.endOffset, log.sizeBytes, log.messageCount]).toEqual([2, 2, 0, 0])
    log.append(entry(2))
    log.append(entry(3, true))
    expect(offsetsOf(log.all())).toEqual([2, 3])
    expect(log.messageCount).toBe(1)
    log.empty()
    expect([log.startOffset, log.endOffset, log.sizeBytes, log.messageCount]).toEqual([4, 4, 0, 0])
  })

  // With that it takes a minute and more.
  it('takes more at its bound without moving all that it holds', { timeout: 20_000 }, () => {
    const log = logOf(800_000, 400_000)
    expect([log.startOffset, log.all().length]).toEqual([400_000, 400_000])
  })
})
