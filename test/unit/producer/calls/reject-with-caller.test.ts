import { describe, expect, it } from 'vitest'
import { rejectWithCaller } from '../../../../src/producer/calls/reject-with-caller.js'
import { withoutStackTraces } from '../../../../src/producer/queues/stack-traces.js'

describe('promises that are rejected', () => {
  it('are heard of in the order in which they were, with stack traces and without', async () => {
    const heard: string[] = []
    const fail = (name: string): void => {
      const promise = new Promise<never>((resolve, reject) => rejectWithCaller({ resolve, reject }, new Error(name)))
      promise.catch((error: Error) => heard.push(error.message))
    }
    fail('1, traced')
    withoutStackTraces(() => {
      fail('2')
      fail('3')
    })
    fail('4, traced')
    withoutStackTraces(() => fail('5'))
    fail('6, traced')
    await new Promise((resolve) => setImmediate(resolve))
    expect(heard.map((name) => name[0])).toEqual(['1', '2', '3', '4', '5', '6'])
  })
})
