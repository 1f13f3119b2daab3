import { expect, it } from 'vitest'
import { Slots } from '../../../../src/network/streams/slots.js'
import { turns } from '../../../embedded/support/producers.js'
import { VirtualClock } from '../../../simulation/virtual-clock.js'

const NEVER = new AbortController().signal

/** Work that is done when the test says so, and which of it has begun. */
function works(slots: Slots) {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const begin = (name: string, hasFailed = false) => {
    const work = () => {
      begun.push(name)
      return new Promise<void>((resolve) => ends.set(name, resolve))
    }
    void slots.run(work, NEVER, hasFailed)
  }
  const end = async (name: string) => {
    ends.get(name)?.()
    await turns()
  }
  return { begun, begin, end }
}

it('as many as there are slots are at it, and the others in their order', async () => {
  const { begun, begin, end } = works(new Slots(2))
  for (const name of ['a', 'b', 'c', 'd']) begin(name)
  await turns()
  expect(begun).toEqual(['a', 'b'])
  await end('b')
  expect(begun).toEqual(['a', 'b', 'c'])
  await end('a')
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
})

it('what takes long makes room for others, up to so many in all', async () => {
  const time = new VirtualClock()
  const { begun, begin, end } = works(new Slots(2, { clock: time.for('test'), afterMs: 1_000, most: 5 }))
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) begin(name)
  await turns()
  expect(begun.join('')).toBe('ab')
  const aSecondLater = async () => {
    for (let timers = time.timersOf('test'); timers > 0; timers--) time.step()
    await turns()
  }
  await aSecondLater()
  expect(begun.join('')).toBe('abcd')
  await aSecondLater()
  expect(begun.join('')).toBe('abcde')
  await aSecondLater()
  expect(begun.join('')).toBe('abcde')
  await end('c')
  expect(begun.join('')).toBe('abcdef')
  await end('e')
  expect(begun.join('')).toBe('abcdefg')
})

it('whoever failed before has his turn behind those who did not', async () => {
  const { begun, begin, end } = works(new Slots(1))
  begin('a')
  begin('failed', true)
  begin('b')
  await turns()
  await end('a')
  await end('b')
  expect(begun).toEqual(['a', 'b', 'failed'])
})
