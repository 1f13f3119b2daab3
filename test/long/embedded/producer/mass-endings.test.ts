import { describe, expect, it } from 'vitest'
import { endTogether } from '../../../embedded/support/mass-endings.js'

describe('a hundred thousand messages past their deadline', () => {
  it.each([
    ['for a topic that is never there', 'missing'],
    ['in batches that are never answered', 'orders'],
  ])('%s: each is told, and the loop turns meanwhile', async (_, topic) => {
    expect(await endTogether(topic, 100_000)).toBeGreaterThan(5)
  })
})

describe('a hundred thousand messages that are refused together', () => {
  it.each([
    ['since their topic does not exist', 'missing', { unknownTopicTimeoutMs: 1_000 }],
    ['for want of room', 'orders', { queueMessages: 1, enqueueTimeoutMs: 1_000, deliveryTimeoutMs: 5_000 }],
  ])('%s: each is told, and the loop turns meanwhile', async (_, topic, options) => {
    expect(await endTogether(topic, 100_000, options)).toBeGreaterThan(5)
  })
})
