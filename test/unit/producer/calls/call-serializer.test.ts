import { expect, it } from 'vitest'
import { CallSerializer } from '../../../../src/producer/calls/call-serializer.js'
import { SendCall } from '../../../../src/producer/calls/send-call.js'
import { Serializer } from '../../../../src/producer/calls/serializer.js'
import { DefaultEncoder, type Encoder } from '../../../../src/producer/encoder.js'
import { StatsCounters } from '../../../../src/stats/producer-stats.js'
import { TurnBudget } from '../../../../src/turn-budget.js'

/** Whose share of a turn is used up whenever it is asked; counts the turns that it waited for. */
class NoTurn extends TurnBudget {
  turns = 0

  override get isSpent(): boolean {
    return true
  }

  override nextTurn(): Promise<void> {
    this.turns++
    return super.nextTurn()
  }
}

function start(encode: Encoder<string>['encode'], count: number) {
  const turn = new NoTurn()
  const serializer = new Serializer<string, string>({ encode }, new DefaultEncoder(), 'encoded', false)
  const messages = Array.from({ length: count }, (_, i) => ({ topic: 'orders', value: String(i) }))
  const call = new SendCall(messages, true, { timestamp: 0, at: 0 }, undefined, () => undefined)
  const calls = new CallSerializer(serializer, turn, new StatsCounters())
  const encoded = calls.serialize(messages, call) as Promise<unknown[]>
  return { turn, call, ready: calls.whenReady(call, encoded as never) }
}

it('others have their turn while what the encoders of a long list gave is gathered, too', async () => {
  let go: ((value: string) => void) | undefined
  const last = new Promise<string>((resolve) => (go = resolve))
  const { turn, ready } = start((value) => (value === '9999' ? last : Promise.resolve(value)), 10_000)
  const slices = Math.ceil(10_000 / 64)
  while (turn.turns < slices) await new Promise((resolve) => setImmediate(resolve))
  go?.('last')
  expect(await ready).toHaveLength(10_000)
  expect(turn.turns).toBeGreaterThan(slices + 100)
})

it('a call that fails by one message waits for the encoders of no other', async () => {
  const encode = (value: string) =>
    value === '1' ? Promise.reject(new Error('no')) : new Promise<string>(() => undefined)
  const { call, ready } = start(encode, 2)
  await expect(call.promise).rejects.toMatchObject({ code: 'SERIALIZATION_FAILED' })
  expect(await ready).toEqual([])
})
