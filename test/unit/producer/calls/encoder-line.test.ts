import { describe, expect, it } from 'vitest'
import { EncoderLine } from '../../../../src/producer/calls/encoder-line.js'
import type { OutgoingMessage } from '../../../../src/producer/queues/outgoing-message.js'
import { Owner, outgoingMessage } from '../outgoing.js'

/** A line whose calls are told by their values, as they go on. */
function lineAndGone() {
  const gone: string[] = []
  const line = new EncoderLine((messages) => {
    gone.push(String(messages[0]?.value))
  })
  return { line, gone }
}

function call(name: string, ...topics: string[]): OutgoingMessage[] {
  const owner = new Owner()
  return topics.map((topic, index) => outgoingMessage(owner, index, { topic, value: name }))
}

/** A call whose encoders work until what this returns is called. */
function slowly(line: EncoderLine, name: string, ...topics: string[]): () => Promise<void> {
  let finish!: (messages: readonly OutgoingMessage[]) => void
  const encoded = new Promise<readonly OutgoingMessage[]>((resolve) => (finish = resolve))
  line.wait(topics, encoded)
  return async () => {
    finish(call(name, ...topics))
    await encoded
  }
}

describe('calls in line for their encoders', () => {
  it('lets a call for a topic wait behind the encoder of an earlier one, and those for others go on', async () => {
    const { line, gone } = lineAndGone()
    const encoded = slowly(line, 'first', 'a')
    line.pass(call('second', 'a'))
    line.pass(call('other', 'b'))
    expect(gone).toEqual(['other'])
    await encoded()
    expect(gone).toEqual(['other', 'first', 'second'])
    expect(line.isEmpty).toBe(true)
  })

  it('lets a call go on once that waited for several topics behind one other', async () => {
    const { line, gone } = lineAndGone()
    const encoded = slowly(line, 'first', 'a', 'b', 'c')
    line.pass(call('second', 'a', 'b', 'c'))
    line.pass(call('third', 'c', 'a'))
    await encoded()
    expect(gone).toEqual(['first', 'second', 'third'])
    expect(line.isEmpty).toBe(true)
  })

  it('lets a call of several topics wait for all that are ahead of it, and others behind it', async () => {
    const { line, gone } = lineAndGone()
    const a = slowly(line, 'a', 'a')
    const b = slowly(line, 'b', 'b')
    line.pass(call('both', 'a', 'b'))
    line.pass(call('behind', 'b'))
    await b()
    expect(gone).toEqual(['b'])
    await a()
    expect(gone).toEqual(['b', 'a', 'both', 'behind'])
  })

  it('lets 10,000 calls go on in their order, with no stack for each', async () => {
    const { line, gone } = lineAndGone()
    const encoded = slowly(line, 'first', 'a')
    const names = Array.from({ length: 10_000 }, (_, i) => String(i))
    for (const name of names) line.pass(call(name, 'a'))
    expect(gone).toEqual([])
    await encoded()
    expect(gone).toEqual(['first', ...names])
    expect(line.isEmpty).toBe(true)
  })

  it('keeps the order of a topic where one that goes on gives another call', async () => {
    const gone: string[] = []
    const line: EncoderLine = new EncoderLine((messages) => {
      const name = String(messages[0]?.value)
      gone.push(name)
      if (name === 'first') line.pass(call('given within', 'a'))
    })
    const encoded = slowly(line, 'first', 'a')
    line.pass(call('second', 'a'))
    await encoded()
    expect(gone).toEqual(['first', 'second', 'given within'])
  })
})
