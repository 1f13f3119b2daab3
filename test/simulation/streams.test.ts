import { describe, expect, it } from 'vitest'
import { PLAIN, type StreamAction } from './scenario.js'
import { simulate } from './simulation.js'
import { Witness } from './witness.js'

const GIVEN = {
  at: 1,
  do: 'stream',
  id: 1,
  count: 40,
  topic: 't1',
  keys: 0,
  size: 10,
  everyMs: 0,
  heeds: true,
} as const
const WAYS = ['write', 'pipeline', 'sendAll'] as const
const SHAPES = ['message', 'without topic', 'bare'] as const

/** How many messages were sent, one of which shows that the cluster is well in the end. */
async function sent(action: StreamAction, type: 'sync' | 'async' = 'sync'): Promise<number> {
  const { violation, messages } = await simulate({
    ...PLAIN,
    options: { ...PLAIN.options, type, queueMessages: 20, queueBytes: 10_000_000 },
    watchesCalls: true,
    actions: [action],
  })
  expect(violation).toBeUndefined()
  return messages - 1
}

describe('streams that are played', () => {
  it.each(WAYS.flatMap((by) => SHAPES.map((shape) => ({ by, shape }))))(
    'send all, by $by, each a $shape',
    async (how) => {
      expect(await sent({ ...GIVEN, ...how, inFlight: 4, ends: 'end' })).toBe(40)
      expect(await sent({ ...GIVEN, ...how, ends: 'end' }, 'async')).toBe(40)
    },
  )

  it('send nothing of what comes behind something that is wrong', async () => {
    for (const by of WAYS)
      for (const wrong of ['list', 'no value'] as const)
        expect(await sent({ ...GIVEN, by, shape: 'message', wrong, ends: 'end' })).toBeLessThanOrEqual(20)
  })

  it('are over with the producer, where sendAll() waits for more', async () => {
    expect(await sent({ ...GIVEN, by: 'sendAll', shape: 'message', ends: 'hang' })).toBe(40)
  })
})

describe('a witness', () => {
  const requests = { broker: 'b:1', api: 'Produce', version: 1, correlationId: 1, bytes: 1 }
  const over = { latencyMs: 1, responseBytes: 1, error: undefined }

  it('sees what has no end, and what has two', () => {
    const broken: string[] = []
    const witness = new Witness(({ message }) => broken.push(message))
    const { request } = witness.observer(false)
    const onEnd = request?.(requests)
    witness.checkEnd()
    expect(broken.splice(0)).toEqual(['what begins ends once: 0 of 1, each a request'])
    onEnd?.(over)
    witness.checkEnd()
    expect(broken).toEqual([])
    onEnd?.(over)
    expect(broken).toEqual(['what begins ends once: a request ends twice'])
  })
})
