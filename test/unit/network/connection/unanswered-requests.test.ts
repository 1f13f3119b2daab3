import { expect, it } from 'vitest'
import { UnansweredRequests } from '../../../../src/network/connection/unanswered-requests.js'

it('of requests that want no answer the newest are kept, however many go out on a connection', () => {
  const requests = new UnansweredRequests()
  for (let id = 0; id < 100_000; id++) requests.add(id, 10)
  expect(requests.answered(90_000)).toBe(false)
  expect(requests.answered(99_000)).toBe(true)
  // Answers come in the order of the requests.
  expect(requests.answered(98_999)).toBe(false)
  expect(requests.answered(99_999)).toBe(true)
  expect(requests.isEmpty).toBe(true)
})
